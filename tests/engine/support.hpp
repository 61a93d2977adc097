// An engine without a loop: what it reports, and sockets to feed it.
#pragma once

#include <brio/core/engine.hpp>
#include <brio/core/exceptions.hpp>

#include <doctest/doctest.h>

#include <array>
#include <netinet/in.h>
#include <string>
#include <string_view>
#include <sys/socket.h>
#include <unistd.h>
#include <utility>
#include <vector>

namespace brio::tests {

/// What poll() reported, in order.
class Reported : public Engine::Sink {
public:
  void descriptor_ready(int fd, Interest ready) override { events.emplace_back(fd, ready); }
  std::vector<std::pair<int, Interest>> events;
};

using Events = std::vector<std::pair<int, Interest>>;

inline Events poll(Engine& engine, Duration timeout = Duration::zero()) {
  Reported reported;
  engine.poll(timeout, reported);
  return reported.events;
}

/// Polls until something is reported. A test that waits in vain is ended by the watchdog.
inline Events wait_for_events(Engine& engine) {
  while (true) {
    if (Events events = poll(engine, std::chrono::seconds(60)); !events.empty()) return events;
  }
}

/// A descriptor that is closed at the end.
class Fd {
public:
  Fd() = default;
  explicit Fd(int fd) : fd_(fd) { REQUIRE(fd_ >= 0); }
  Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Fd& operator=(Fd&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~Fd() { close(); }
  operator int() const noexcept { return fd_; }
  void close() {
    if (fd_ >= 0) ::close(std::exchange(fd_, -1));
  }

private:
  int fd_ = -1;
};

inline std::pair<Fd, Fd> stream_pair() {
  std::array<int, 2> fds{};
  REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds.data()) == 0);
  return {Fd(fds[0]), Fd(fds[1])};
}

inline void put(int fd, std::string_view text) {
  REQUIRE(::send(fd, text.data(), text.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(text.size()));
}

/// What one receive() gives: the bytes, "(end)", "(nothing)" or "(errno N)".
inline std::string take(Engine& engine, int fd, std::size_t at_most = 65536) {
  std::string scratch(at_most, '\0');
  const Transfer got = engine.receive(fd, scratch);
  if (got.error == EAGAIN) return "(nothing)";
  if (got.error != 0) return "(errno " + std::to_string(got.error) + ")";
  if (got.count == 0) return "(end)";
  return {got.data, got.count};
}

/// Reads on until `size` bytes have come.
inline std::string take_all(Engine& engine, int fd, std::size_t size) {
  std::string all;
  while (all.size() < size) {
    wait_for_events(engine);
    std::string piece = take(engine, fd);
    REQUIRE(piece != "(end)");
    if (piece != "(nothing)") all += piece;
  }
  return all;
}

/// Does the other end find that this one was closed?
inline bool is_closed(int other_end) {
  char byte = 0;
  return ::recv(other_end, &byte, 1, MSG_DONTWAIT) == 0;
}

}  // namespace brio::tests
