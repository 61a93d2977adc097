// Times one job: a warm-up, then samples of a fixed number of operations each.
//
// Every micro program is a list of jobs and hands it to run_jobs: `limit --list` names them,
// `limit await 21` runs one with 21 samples and prints one line of JSON.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace bench {

/// What a job is given. It repeats its batch while again(), with the batch between start and stop:
///
///     while (meter.again()) {
///       meter.start();
///       for (std::size_t i = 0; i < meter.operations(); ++i) …;
///       meter.stop();
///     }
class Meter {
public:
  Meter(std::size_t operations, std::size_t samples) : operations_(operations), left_(samples + 1) {
    nanoseconds_.reserve(samples + 1);
  }
  /// Another batch is wanted. The first one warms up and is not counted.
  [[nodiscard]] bool again() noexcept { return left_ != 0 && left_-- != 0; }
  [[nodiscard]] std::size_t operations() const noexcept { return operations_; }
  void start() noexcept { start_ = Clock::now(); }
  void stop() {
    const std::chrono::duration<double, std::nano> took = Clock::now() - start_;
    nanoseconds_.push_back(took.count() / static_cast<double>(operations_));
  }
  /// Nanoseconds per operation of each sample, without the warm-up.
  [[nodiscard]] std::vector<double> samples() const;

private:
  using Clock = std::chrono::steady_clock;
  std::size_t operations_;
  std::size_t left_;
  Clock::time_point start_;
  std::vector<double> nanoseconds_;
};

struct Job {
  std::string name;
  /// Operations in one batch: some milliseconds' worth.
  std::size_t operations;
  std::function<void(Meter&)> run;
};

/// The main() of a micro program: <program> --list | --version | <job> [samples [operations]]
int run_jobs(int argc, char** argv, const char* version, const std::vector<Job>& jobs);

/// Keeps the compiler from seeing through `value`.
template <class T>
inline void keep(T&& value) {
  asm volatile("" : : "r,m"(value) : "memory");
}

/// A cheap sequence of pseudo-random numbers (xorshift), the same in every program.
class Random {
public:
  std::uint64_t operator()() noexcept {
    state_ ^= state_ << 13;
    state_ ^= state_ >> 7;
    state_ ^= state_ << 17;
    return state_;
  }

private:
  std::uint64_t state_ = 0x9e3779b97f4a7c15;
};

}  // namespace bench
