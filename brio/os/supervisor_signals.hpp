// Inside brio/os: the signals of a supervisor of worker processes.
#pragma once

#include <brio/os/descriptor.hpp>

#include <csignal>
#include <optional>

namespace brio::detail {

/// Takes SIGINT, SIGTERM, SIGHUP, SIGTTIN and SIGTTOU, each if it is at its default: blocks them in
/// the calling thread, and gives them one by one. Blocked and not handled, because a forked child
/// then inherits nothing that could run in it, and loses no signal before it has handlers.
class SupervisorSignals {
public:
  /// With `take` false they are left alone. Throws OSError.
  explicit SupervisorSignals(bool take);
  SupervisorSignals(const SupervisorSignals&) = delete;
  SupervisorSignals& operator=(const SupervisorSignals&) = delete;
  ~SupervisorSignals() { give_back(); }

  /// Readable when one has come; -1 when there are none to come.
  [[nodiscard]] int fileno() const noexcept { return descriptor_.fileno(); }
  /// The next one that has come.
  [[nodiscard]] std::optional<int> next() noexcept;
  /// Their default actions again; harmless when repeated. One that has come since the last next()
  /// and was only meant for a supervisor is dropped.
  void give_back() noexcept;
  /// The mask before the first was taken.
  [[nodiscard]] const sigset_t& mask_before() const noexcept { return before_; }
  /// In a forked process: closes the descriptor and leaves the mask.
  void forget() noexcept { descriptor_.close(); }

private:
  os::Descriptor descriptor_;
  sigset_t before_{};
};

}  // namespace brio::detail
