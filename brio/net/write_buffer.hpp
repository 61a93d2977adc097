// The bytes that a transport could not send yet, kept as the pieces that they came in.
#pragma once

#include <brio/core/config.hpp>
#include <brio/core/detail/frame_pool.hpp>

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <sys/uio.h>
#include <vector>

namespace brio::net::detail {

/// A queue of owned strings that a gathering write empties from the front.
///
/// Large pieces are kept as they are, never copied together; small ones are appended to the last
/// piece, so that a thousand tiny writes make neither a thousand strings nor a thousand iovecs.
/// An empty buffer is one pointer: that is what it costs an idle connection.
class BRIO_API WriteBuffer {
public:
  WriteBuffer() noexcept = default;

  [[nodiscard]] bool empty() const noexcept { return !queue_; }
  /// How many bytes wait.
  [[nodiscard]] std::size_t size() const noexcept { return queue_ ? queue_->size : 0; }

  /// Appends a copy of `data`.
  void append(std::string_view data);
  /// Appends `data` without a copy, but for its first `skip` bytes, which were sent already.
  void append(std::string&& data, std::size_t skip = 0);

  /// Fills at most `count` entries of `out` from the front; how many were filled. The entries
  /// are valid until the next call of a non-const member.
  [[nodiscard]] std::size_t gather(iovec* out, std::size_t count) const noexcept;
  /// Drops `count` bytes from the front. Precondition: count ≤ size().
  void consume(std::size_t count) noexcept;
  /// Drops everything.
  void clear() noexcept { queue_ = nullptr; }

private:
  // Up to this size a piece is worth copying to save an iovec.
  static constexpr std::size_t small_piece = 1024;
  static constexpr std::size_t packed_piece = 16 * 1024;

  struct Queue : brio::detail::Pooled {
    std::vector<std::string> pieces;
    std::size_t head = 0;    // the first piece that still holds unsent bytes
    std::size_t offset = 0;  // how much of that piece has been sent
    std::size_t size = 0;    // never 0
  };

  [[nodiscard]] bool packs(std::size_t added) const noexcept;
  // A piece of its own, of which `skip` bytes were sent already.
  void push(std::string&& piece, std::size_t skip);

  std::unique_ptr<Queue> queue_;
};

}  // namespace brio::net::detail
