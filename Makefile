# What can be made here; `make help` lists it. Each job does its own set-up on a fresh Debian 12: it
# says what it installs (scripts/setup.sh), configures a CMake preset and builds in build/<preset>.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

JOBS ?= $(shell nproc)
# Tests also wait: for peers, for a deadline, for a process to end.
TEST_JOBS ?= $(shell expr $(JOBS) + $(JOBS) / 2)
PRESET ?= dev
TESTS ?= .
PREFIX ?= /usr/local
FUZZ_SECONDS ?= 30
SOAK_SECONDS ?= 120

SETUP := scripts/setup.sh
# $(call configure,<preset>,<options>): silent unless it fails.
configure = mkdir -p build && { cmake --preset $(1) $(2) >build/configure-$(1).log 2>&1 || \
            { cat build/configure-$(1).log; exit 1; }; }
build = cmake --build build/$(1) -j $(JOBS)
ctest = ctest --test-dir build/$(1) -j $(TEST_JOBS) --output-on-failure

.PHONY: help run test asan tsan bench fuzz test-peers soak test-debian13 format lint docs install clean

help: ## this list
	@sed -nE 's/^([a-z0-9-]+):.*## (.*)/  make \1\t\2/p' Makefile | expand -t 22

# Through the environment and as they are: a URL's "&", ";" and "$" mean something to a shell.
run: export DEMO_URLS = $(value URLS)
run: ## build the brio command and show it: downloads, one by one and at once (URLS="…": yours)
	@$(SETUP) run
	@$(call configure,release,-DBRIO_BUILD_CLI=ON)
	@$(call build,release) --target brio_cli
	@scripts/demo.sh build/release/cli/brio

test: ## build everything, run every test (PRESET=release, TESTS=<regular expression>)
	@$(SETUP) test
	@$(call configure,$(PRESET),-DBRIO_BUILD_TESTS=ON -DBRIO_BUILD_EXAMPLES=ON)
	@$(call build,$(PRESET))
	@$(call ctest,$(PRESET)) -R '$(TESTS)'

asan: ## every test under the address and undefined behaviour sanitizers
	@$(MAKE) test PRESET=asan

tsan: ## the tests that meet threads, under the thread sanitizer
	@$(SETUP) test
	@$(call configure,tsan)
	@$(call build,tsan) --target brio_thread_tests
	@$(call ctest,tsan) -L '^threads$$' -R '$(TESTS)'

bench: ## benchmarks (JOB='timer_*', PEERS=asio, ROUNDS=5; COUNT=1: instructions instead of time)
	@$(SETUP) bench
	@$(call configure,release,-DBRIO_BUILD_BENCH=ON)
	@$(call build,release) --target bench/all
	@bench/run.py build/release $(if $(JOB),--job '$(JOB)') $(if $(PEERS),--peers '$(PEERS)') \
	  $(if $(ROUNDS),--rounds $(ROUNDS)) $(if $(COUNT),--count)

fuzz: ## build every fuzzer and run each for FUZZ_SECONDS (30)
	@$(SETUP) fuzz
	@$(call configure,fuzz)
	@$(call build,fuzz) --target tests/fuzz/all
	@scripts/fuzz.sh build/fuzz/tests/fuzz $(FUZZ_SECONDS)

test-peers: ## only the tests against other people's servers and clients
	@$(MAKE) test TESTS=peers

soak: ## load and endurance at full size, on both engines (SOAK_SECONDS=120 on each)
	@$(SETUP) test
	@$(call configure,release,-DBRIO_BUILD_TESTS=ON)
	@$(call build,release) --target brio_load
	@scripts/soak.sh build/release/tests/load/brio_load $(SOAK_SECONDS)

test-debian13: ## build and test with g++ 14 and clang in a Debian 13 chroot (needs root)
	@$(SETUP) debian13
	@scripts/test-debian13.sh

format: ## format every source file
	@$(SETUP) lint
	@scripts/lint/sources.sh | xargs clang-format-19 -i

lint: ## formatting, includes, docstrings, file lengths, clang-tidy
	@$(SETUP) lint
	@$(call configure,lint)
	@scripts/lint/lint.sh build/lint

docs: ## build the guide as a site in build/site
	@$(SETUP) docs
	@scripts/docs.sh

install: ## install libraries, headers and the brio command under PREFIX (/usr/local)
	@$(SETUP) run
	@$(call configure,release)
	@$(call build,release)
	@cmake --install build/release --prefix $(PREFIX)

clean: ## remove every build
	@rm -rf build
