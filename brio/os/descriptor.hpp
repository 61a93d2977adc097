// File descriptors as owned values: pipe ends, FIFOs, terminals.
#pragma once

#include <brio/core/config.hpp>
#include <brio/net/socket.hpp>

#include <string>
#include <utility>

namespace brio::os {

/// An owned descriptor. Move-only; the destructor closes. What is made here is close-on-exec.
class BRIO_API Descriptor {
public:
  Descriptor() noexcept = default;
  /// Takes over the descriptor of a socket.
  Descriptor(net::Socket&& socket) noexcept : fd_(socket.detach()) {}
  /// Takes over an open descriptor as it is; -1 for none.
  [[nodiscard]] static Descriptor adopt(int fd) noexcept;
  /// A second descriptor, close-on-exec, for what `fd` names: `dup(STDIN_FILENO)` to read from
  /// standard input without closing it in the end. Throws OSError.
  [[nodiscard]] static Descriptor dup(int fd);
  /// open(2), close-on-exec and non-blocking, so that a FIFO without a peer does not stop the
  /// thread. `mode` is for O_CREAT. Throws OSError that names the path.
  [[nodiscard]] static Descriptor open(const std::string& path, int flags, unsigned mode = 0666);
  /// A pipe: its reading end and its writing end, both close-on-exec and blocking (os.pipe).
  /// Throws OSError.
  [[nodiscard]] static std::pair<Descriptor, Descriptor> pipe();

  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept;
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() { close(); }

  /// The number, -1 when there is none.
  [[nodiscard]] int fileno() const noexcept { return fd_; }
  /// True while a descriptor is held.
  [[nodiscard]] explicit operator bool() const noexcept { return fd_ >= 0; }
  /// Closes now; harmless when it is closed already. Errors of close(2) are not reported: the
  /// descriptor is gone in any case.
  void close() noexcept;
  /// Gives the descriptor away without closing it.
  [[nodiscard]] int detach() noexcept { return std::exchange(fd_, -1); }

private:
  int fd_ = -1;
};

}  // namespace brio::os
