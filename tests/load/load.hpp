// What the load programs share: a stream of bytes that knows itself, and what the process holds.
#pragma once

#include <brio/core/coro.hpp>
#include <brio/core/loop.hpp>

#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace brio::load {

/// What was promised does not hold; ends the program with status 1.
class Failure : public std::runtime_error {
public:
  using std::runtime_error::runtime_error;
};

/// Throws a Failure that says `what` unless `holds`.
inline void require(bool holds, const std::string& what) {
  if (!holds) throw Failure(what);
}

/// A stream of bytes that repeats after a prime number of them, so that no shift, loss or doubling
/// of a round number of bytes goes unseen.
class Pattern {
public:
  Pattern();
  /// The bytes from `position` on, at most `size` and fewer at the end of a period. Lent.
  [[nodiscard]] std::string_view at(std::uint64_t position, std::size_t size) const;
  /// Throws Failure with the position of the first byte that is not as it should be.
  void check(std::uint64_t position, std::string_view bytes) const;

private:
  std::string bytes_;
};

/// What a process holds at one moment.
struct Holdings {
  std::size_t heap = 0;         ///< bytes allocated and not freed
  std::size_t resident = 0;     ///< bytes of memory in use
  std::size_t descriptors = 0;  ///< open
  std::size_t in_flight = 0;    ///< requests in the io_uring, none on epoll
};
[[nodiscard]] Holdings holdings(EventLoop& loop);

/// A command line: a name, then --option value pairs.
class Arguments {
public:
  Arguments(int count, char** values) : values_(values + 1, values + count) {}
  /// The n-th word, or "".
  [[nodiscard]] std::string word(std::size_t index) const;
  /// What follows `--name`; numbers may end in K, M or G (powers of 1024).
  [[nodiscard]] std::string text(std::string_view name, std::string_view otherwise) const;
  [[nodiscard]] std::uint64_t number(std::string_view name, std::uint64_t otherwise) const;

private:
  std::vector<std::string> values_;
};

/// `connections`: many connections at once from a process of their own; `hold` is that process.
Coro<> connections(Arguments arguments);
Coro<> hold(Arguments arguments);
/// `echo`: bytes there and back over TCP, TLS, a Unix socket or pipes; `cat` is the pipes' far end.
Coro<> echo(Arguments arguments);
Coro<> cat(Arguments arguments);
/// `soak`: everything a server meets, in rounds that must leave nothing behind.
Coro<> soak(Arguments arguments);

}  // namespace brio::load
