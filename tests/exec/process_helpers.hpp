// What the tests of the process pool share.
#pragma once

#include "helpers.hpp"

#include <brio/exec/process_pool.hpp>

#include <string>
#include <unistd.h>

namespace exec_test {

inline constexpr brio::StartMethod both_methods[] = {brio::StartMethod::fork,
                                                     brio::StartMethod::spawn};

/// A place in a worker where a call waits until the test lets it go: two FIFOs, since a worker has
/// no descriptor of ours.
class Gate {
public:
  Gate();
  Gate(const Gate&) = delete;
  Gate& operator=(const Gate&) = delete;
  ~Gate();
  /// For pass_gate.
  [[nodiscard]] const std::string& arguments() const { return directory_; }
  /// Blocks until a worker is in the gate, and gives its process.
  pid_t wait_until_reached();
  void open();

private:
  std::string directory_;
  int reached_ = -1;
  int release_ = -1;
};

/// For the worker: says that it is there.
void reach_gate(const std::string& gate);
/// The same, and waits until the gate is open; gives its process.
int pass_gate(const std::string& gate);

}  // namespace exec_test
