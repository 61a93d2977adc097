// The arithmetic of asyncio.StreamReader without any waiting: a byte queue and its framing rules.
#pragma once

#include <brio/core/config.hpp>
#include <brio/core/detail/frame_pool.hpp>

#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace brio::net::detail {

/// Bytes fed at the back and taken from the front.
///
/// Taking all of them moves the string out, so that one chunk goes from the socket's buffer to the
/// reader with a single copy; an empty buffer is one pointer.
class BRIO_API ReadBuffer {
public:
  ReadBuffer() noexcept = default;

  [[nodiscard]] bool empty() const noexcept { return size() == 0; }
  [[nodiscard]] std::size_t size() const noexcept {
    return kept_ ? kept_->bytes.size() - kept_->head : 0;
  }
  /// What is buffered; valid until the next call of a non-const member.
  [[nodiscard]] std::string_view view() const noexcept {
    return kept_ ? std::string_view(kept_->bytes).substr(kept_->head) : std::string_view();
  }

  void append(std::string_view data);
  /// Puts bytes back in front of what is there.
  void prepend(std::string&& data);
  /// The first `count` bytes (all, where fewer are there), removed.
  [[nodiscard]] std::string take(std::size_t count);
  /// Everything, removed.
  [[nodiscard]] std::string take_all() { return take(size()); }
  /// Copies at most `count` bytes out and removes them; how many.
  std::size_t take_into(char* out, std::size_t count) noexcept;
  /// Removes the first `count` bytes (all, where fewer are there).
  void consume(std::size_t count) noexcept;
  void clear() noexcept { kept_ = nullptr; }

private:
  struct Kept : brio::detail::Pooled {
    std::string bytes;
    std::size_t head = 0;  // how much of them was taken
  };
  std::unique_ptr<Kept> kept_;  // there while bytes are
};

/// The search of StreamReader.readuntil, resumable: bytes looked at once are not looked at again
/// when more arrive.
///
/// With several separators the match that ends first wins and, of those that end together, the
/// shortest (CPython ≥ 3.13).
class BRIO_API SeparatorSearch {
public:
  /// The separators are borrowed and must outlive this object; at least one, none empty (the
  /// caller checks: it is a ValueError there).
  explicit SeparatorSearch(std::span<const std::string> separators) noexcept;

  struct Match {
    std::size_t start;  ///< how many bytes stand before the separator
    std::size_t end;    ///< where the separator ends: what readuntil returns
  };
  /// Looks for the first separator in `buffer`, which must begin with what it began with the
  /// last time.
  [[nodiscard]] std::optional<Match> find(std::string_view buffer);
  /// How many bytes at the front cannot be part of a separator any more: the `consumed` of a
  /// LimitOverrunError when nothing was found.
  [[nodiscard]] std::size_t scanned() const noexcept { return offset_; }

private:
  std::span<const std::string> separators_;
  std::size_t shortest_;
  std::size_t longest_;
  std::size_t offset_ = 0;
};

}  // namespace brio::net::detail
