// StreamReader: pull bytes out of a connection (asyncio.StreamReader).
#pragma once

#include <brio/core/coro.hpp>
#include <brio/core/detail/ref.hpp>
#include <brio/core/exceptions.hpp>
#include <brio/net/read_buffer.hpp>
#include <brio/net/transport.hpp>

#include <concepts>
#include <cstddef>
#include <exception>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace brio {

namespace net::detail {

class DataWait;

/// What the handles of one StreamReader share.
class BRIO_API StreamReaderState {
public:
  explicit StreamReaderState(std::size_t limit);
  StreamReaderState(const StreamReaderState&) = delete;
  StreamReaderState& operator=(const StreamReaderState&) = delete;

  void ref() noexcept { ++refs_; }
  void unref() noexcept {
    if (--refs_ == 0) delete this;
  }
  /// Does anybody but the holder of the asking reference want the bytes?
  [[nodiscard]] bool wanted() const noexcept { return refs_ > 1; }

  void feed_data(std::string_view data);
  void feed_eof();
  void set_exception(std::exception_ptr exc);
  /// Takes out what is buffered (start_tls moves it into the TLS layer).
  [[nodiscard]] std::string take_buffer() { return buffer_.take_all(); }

  detail::ReadBuffer buffer_;
  std::size_t limit_;
  DataWait* waiter_ = nullptr;
  std::exception_ptr exception_;
  std::shared_ptr<ReadTransport> transport_;
  bool eof_ = false;
  bool paused_ = false;

  /// Lets the transport read on once no more than the limit is buffered.
  void maybe_resume_transport();

private:
  ~StreamReaderState() = default;
  std::uint32_t refs_ = 0;
};

using ReaderRef = brio::detail::Ref<StreamReaderState>;

BRIO_API Coro<std::string> read_some(ReaderRef reader, std::size_t count);
BRIO_API Coro<std::string> read_to_end(ReaderRef reader);
BRIO_API Coro<std::string> read_exactly(ReaderRef reader, std::size_t count);
BRIO_API Coro<std::string> read_until(ReaderRef reader, std::vector<std::string> separators);
BRIO_API Coro<std::string> read_line(ReaderRef reader);
BRIO_API Coro<std::optional<std::string>> read_next_line(ReaderRef reader);

template <std::integral N>
[[nodiscard]] constexpr bool negative(N count) noexcept {
  if constexpr (std::signed_integral<N>) {
    return count < 0;
  } else {
    return false;
  }
}

}  // namespace net::detail

/// The reading end of a stream. A handle: copies read the same stream.
///
/// One task at a time may wait in a read; a second one gets RuntimeError. Cancellation of a read
/// loses nothing: what has arrived stays for the next read. While more than twice the limit is
/// buffered the transport is paused.
class BRIO_API StreamReader {
public:
  /// `limit` bounds readuntil and readline, and half of what is buffered. Throws ValueError for 0.
  explicit StreamReader(std::size_t limit = 64 * 1024);

  /// Everything until the end of the stream.
  [[nodiscard]] BRIO_CORO_WRAPPER Coro<std::string> read() const {
    return net::detail::read_to_end(state_);
  }
  /// At most `n` bytes, as soon as there is one; "" at the end of the stream. A negative `n` reads
  /// until the end, 0 gives "" at once.
  template <std::integral N>
  [[nodiscard]] BRIO_CORO_WRAPPER Coro<std::string> read(N n) const {
    if (net::detail::negative(n)) return net::detail::read_to_end(state_);
    return net::detail::read_some(state_, static_cast<std::size_t>(n));
  }
  /// Exactly `n` bytes, whatever the limit. Throws IncompleteReadError when the stream ends before,
  /// ValueError for a negative `n`.
  template <std::integral N>
  [[nodiscard]] BRIO_CORO_WRAPPER Coro<std::string> readexactly(N n) const {
    if (net::detail::negative(n)) {
      throw ValueError("readexactly size can not be less than zero");
    }
    return net::detail::read_exactly(state_, static_cast<std::size_t>(n));
  }
  /// A line with its "\n"; at the end of the stream what is left, at last "". Throws ValueError for
  /// a line longer than the limit, and drops it.
  [[nodiscard]] BRIO_CORO_WRAPPER Coro<std::string> readline() const {
    return net::detail::read_line(state_);
  }
  /// Up to and including the separator. Throws LimitOverrunError when more than the limit comes
  /// before it (nothing is lost then: consumed() bytes may be skipped), IncompleteReadError when
  /// the stream ends first, ValueError for an empty separator.
  [[nodiscard]] BRIO_CORO_WRAPPER Coro<std::string> readuntil(
      std::string_view separator = "\n") const {
    return net::detail::read_until(state_, {std::string(separator)});
  }
  /// The same with several separators: the one that ends first, and of those the shortest.
  [[nodiscard]] BRIO_CORO_WRAPPER Coro<std::string> readuntil(
      std::initializer_list<std::string_view> separators) const {
    return net::detail::read_until(state_, {separators.begin(), separators.end()});
  }
  [[nodiscard]] BRIO_CORO_WRAPPER Coro<std::string> readuntil(
      std::vector<std::string> separators) const {
    return net::detail::read_until(state_, std::move(separators));
  }
  /// The lines, one by one: `while (auto line = co_await reader.next())` (Python's `async for`).
  [[nodiscard]] BRIO_CORO_WRAPPER Coro<std::optional<std::string>> next() const {
    return net::detail::read_next_line(state_);
  }

  /// True when nothing is buffered and nothing more will come.
  [[nodiscard]] bool at_eof() const noexcept { return state_->eof_ && state_->buffer_.empty(); }
  /// The error that set_exception gave, null for none.
  [[nodiscard]] std::exception_ptr exception() const noexcept { return state_->exception_; }

  // ---- the feeding side

  /// Throws RuntimeError after feed_eof.
  void feed_data(std::string_view data) const { state_->feed_data(data); }
  /// Nothing more will come.
  void feed_eof() const { state_->feed_eof(); }
  /// Every read fails with `exc` from now on, a waiting one at once.
  void set_exception(std::exception_ptr exc) const { state_->set_exception(std::move(exc)); }
  template <class E>
    requires(!std::same_as<std::remove_cvref_t<E>, std::exception_ptr>)
  void set_exception(E&& error) const {
    set_exception(std::make_exception_ptr(std::forward<E>(error)));
  }
  /// Whom to pause when too much is buffered.
  void set_transport(std::shared_ptr<ReadTransport> transport) const {
    state_->transport_ = std::move(transport);
  }

  [[nodiscard]] const net::detail::ReaderRef& state() const noexcept { return state_; }
  explicit StreamReader(net::detail::ReaderRef state) noexcept : state_(std::move(state)) {}

private:
  net::detail::ReaderRef state_;
};

}  // namespace brio
