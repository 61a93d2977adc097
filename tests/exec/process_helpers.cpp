#include "process_helpers.hpp"

#include <doctest/doctest.h>

#include <cerrno>
#include <cstdlib>
#include <fcntl.h>
#include <sys/stat.h>

// The workers that are spawned begin in the main of the tests.
void brio_before_tests(int argc, char** argv) { brio::freeze_support(argc, argv); }

namespace exec_test {

namespace {

// With both directions open it neither blocks nor ends.
int open_fifo(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDWR | O_CLOEXEC);
  if (fd < 0) brio::throw_oserror(errno, "open " + path);
  return fd;
}

}  // namespace

Gate::Gate() {
  char name[] = "/tmp/brio-gate-XXXXXX";
  REQUIRE(::mkdtemp(name));
  directory_ = name;
  REQUIRE(::mkfifo((directory_ + "/reached").c_str(), 0600) == 0);
  REQUIRE(::mkfifo((directory_ + "/release").c_str(), 0600) == 0);
  reached_ = open_fifo(directory_ + "/reached");
  release_ = open_fifo(directory_ + "/release");
}

Gate::~Gate() {
  ::unlink((directory_ + "/reached").c_str());
  ::unlink((directory_ + "/release").c_str());
  ::rmdir(directory_.c_str());
  ::close(reached_);
  ::close(release_);
}

pid_t Gate::wait_until_reached() {
  pid_t pid = 0;
  REQUIRE(::read(reached_, &pid, sizeof pid) == sizeof pid);
  return pid;
}

void Gate::open() { REQUIRE(::write(release_, "x", 1) == 1); }

void reach_gate(const std::string& gate) {
  const int reached = open_fifo(gate + "/reached");
  const pid_t self = ::getpid();
  const bool said = ::write(reached, &self, sizeof self) == sizeof self;
  ::close(reached);
  if (!said) throw brio::RuntimeError("the gate is gone");
}

int pass_gate(const std::string& gate) {
  const int release = open_fifo(gate + "/release");
  reach_gate(gate);
  char byte = 0;
  const bool open = ::read(release, &byte, 1) == 1;
  ::close(release);
  if (!open) throw brio::RuntimeError("the gate is gone");
  return ::getpid();
}

}  // namespace exec_test
