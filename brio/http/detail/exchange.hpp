// One request and its response on some connection: what the session knows of the wire. HTTP/1.1
// implements it with a connection of its own, HTTP/2 may with a stream among others.
#pragma once

#include <brio/core/coro.hpp>
#include <brio/core/time.hpp>
#include <brio/http/message.hpp>

#include <cstddef>
#include <cstdint>
#include <exception>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace brio {
class Protocol;
}

namespace brio::http::detail {

/// When a wait for the peer must end.
struct Deadlines {
  /// The end of ClientTimeout::total.
  std::optional<TimePoint> total = std::nullopt;
  /// ClientTimeout::sock_read: from the last byte on.
  std::optional<Duration> sock_read = std::nullopt;
};

/// What is to be sent as a request's body.
struct BodyKind {
  /// False: there is none.
  bool present = false;
  /// Its length, where it is known before it is sent.
  std::optional<std::uint64_t> length = std::nullopt;
};

/// One request and its response. Destroying it gives the connection back where it may carry
/// another exchange (the response was read to its end, the request sent to its end), and cuts it
/// otherwise. Every wait may be cancelled: nothing that came is lost.
class Exchange {
public:
  Exchange() = default;
  Exchange(const Exchange&) = delete;
  Exchange& operator=(const Exchange&) = delete;
  virtual ~Exchange();

  /// Sends the head; `body` says what follows. Throws ValueError for a head that cannot be sent.
  virtual void send_head(const RequestHead& head, BodyKind body) = 0;
  /// Sends a part of the body. Never waits: await drain().
  virtual void send_body(std::string_view data) = 0;
  /// The body has ended.
  virtual void end_body() = 0;
  /// Waits until the peer has taken enough for more to be sent. Throws what broke the connection.
  virtual Coro<> drain() = 0;

  /// The final response's head; interim ones are passed over. Throws ServerDisconnectedError,
  /// ClientOSError, BadHttpMessage, SocketTimeoutError, TimeoutError.
  virtual Coro<ResponseHead> read_head() = 0;
  /// A part of the response's body, at most `max` bytes; "" at its end. Throws likewise, and
  /// ClientPayloadError.
  virtual Coro<std::string> read_body(
      std::size_t max = std::numeric_limits<std::size_t>::max()) = 0;
  /// Whether all of the response has been read.
  [[nodiscard]] virtual bool finished() const noexcept = 0;
  /// The body's declared length.
  [[nodiscard]] virtual std::optional<std::uint64_t> content_length() const noexcept = 0;
  /// The fields after the body; complete once finished.
  [[nodiscard]] virtual const Headers& trailers() const noexcept = 0;

  /// After a head that ends HTTP on this connection (101): hands it to `next`, which also gets what
  /// came behind the head. The exchange keeps the connection's place, and is to be kept as long as
  /// the connection is used. Throws RuntimeError where there is no such head, or no such way.
  virtual void upgrade(std::shared_ptr<Protocol> next);

  /// Cuts the connection; what is waited for fails with `error`.
  virtual void abort(std::exception_ptr error) = 0;
  /// Whether the connection had carried an exchange before, and nothing of this response came:
  /// then its failure may only mean that the server closed an idle connection.
  [[nodiscard]] virtual bool failed_stale() const noexcept = 0;

  void set_deadlines(const Deadlines& deadlines) noexcept { deadlines_ = deadlines; }

protected:
  Deadlines deadlines_;
};

}  // namespace brio::http::detail
