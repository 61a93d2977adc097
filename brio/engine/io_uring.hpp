// The completion engine: io_uring, by liburing. Streams are received into a ring of buffers that
// the kernel fills by itself, connections are accepted by themselves, and everything that an
// iteration wants of the kernel goes to it in the one system call that also waits.
#pragma once

#include <brio/core/engine.hpp>

#include <cstddef>
#include <memory>
#include <string>

namespace brio::engine {

/// What an io_uring engine may use.
struct UringOptions {
  /// Places in the submission queue; when they are all taken within an iteration, it is submitted
  /// early. A power of two.
  unsigned entries = 256;
  /// Buffers into which all streams of the loop receive. A power of two, at most 32768. When they
  /// run out, receiving pauses until the loop has handed some of them on.
  unsigned buffers = 256;
  /// Bytes of each. Memory is taken when the first stream is read, and touched as far as it is
  /// used.
  std::size_t buffer_size = 16 * 1024;
};

/// Why this kernel cannot run the engine ("" if it can): too old, forbidden, out of memory limits.
/// Asked once per process.
[[nodiscard]] BRIO_API const std::string& io_uring_missing();

/// asyncio's ProactorEventLoop world. Throws OSError if the kernel refuses the ring.
///
/// The ring belongs to the thread that polls; when the loop runs on in another thread it is made
/// anew there, and nothing that has come is lost.
class BRIO_API UringEngine final : public Engine {
public:
  explicit UringEngine(UringOptions options = {});
  ~UringEngine() override;

  [[nodiscard]] const char* name() const noexcept override { return "io_uring"; }
  [[nodiscard]] TimePoint now() override { return std::chrono::steady_clock::now(); }
  void watch(int fd, Interest interest) override;
  void adopt(int fd, Purpose purpose) override;
  void forget(int fd) noexcept override;
  [[nodiscard]] Transfer receive(int fd, std::span<char> scratch) noexcept override;
  [[nodiscard]] int accept(int fd, sockaddr* peer, unsigned* length) noexcept override;
  [[nodiscard]] int accept_rest(int fd, sockaddr* peer, unsigned* length) noexcept override;
  [[nodiscard]] bool watching() const noexcept override;
  void poll(Duration timeout, Sink& sink) override;
  void wake() noexcept override;
  [[nodiscard]] int descriptor() const noexcept override;
  void rest() noexcept override;
  void close() noexcept override;

  /// What was done so far, for tests and for tuning.
  struct Counts {
    /// Calls of io_uring_enter.
    std::size_t enters = 0;
    /// Requests given to the kernel.
    std::size_t submitted = 0;
    /// Times that receiving paused because all buffers were in use.
    std::size_t out_of_buffers = 0;
    /// Requests that the kernel has not ended yet.
    std::size_t in_flight = 0;
  };
  /// See Counts.
  [[nodiscard]] Counts counts() const noexcept;

private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace brio::engine
