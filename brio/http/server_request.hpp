// A request as a server's handler sees it (aiohttp.web.Request).
#pragma once

#include <brio/core/coro.hpp>
#include <brio/http/forms.hpp>
#include <brio/http/message.hpp>
#include <brio/net/transport.hpp>

#include <any>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace brio::http {

namespace detail {
class ServerConnection;
}  // namespace detail

/// A request. It belongs to its connection and is valid until its handler has returned; a lent view
/// likewise.
class BRIO_API Request {
public:
  explicit Request(detail::ServerConnection& connection) noexcept : connection_(&connection) {}
  Request(const Request&) = delete;
  Request& operator=(const Request&) = delete;
  ~Request() = default;

  /// The method, case-sensitive: "GET".
  [[nodiscard]] std::string_view method() const noexcept;
  /// What was asked for, as it stood in the request line: "/path?query", or a whole URL.
  [[nodiscard]] std::string_view target() const noexcept;
  /// The path as it was sent, percent-encoded; "/" where a whole URL has none, "*" as it is.
  [[nodiscard]] std::string_view raw_path() const noexcept;
  /// The path, decoded. It may hold anything: "..", NUL, a second '/'.
  [[nodiscard]] std::string path() const;
  /// The query as it was sent, without '?'; empty where there is none.
  [[nodiscard]] std::string_view query_string() const noexcept;
  /// The query's pairs, decoded ('+' is a space), in order.
  [[nodiscard]] Pairs query() const;
  /// The first value of that name in the query, decoded; nothing where there is none.
  [[nodiscard]] std::optional<std::string> query(std::string_view name) const;
  /// The version that the client speaks.
  [[nodiscard]] HttpVersion version() const noexcept;
  /// The fields, in order.
  [[nodiscard]] const Headers& headers() const noexcept;
  /// "https" over TLS, else "http".
  [[nodiscard]] std::string_view scheme() const noexcept;
  /// Whether the connection is one over TLS.
  [[nodiscard]] bool secure() const noexcept;
  /// Host and port that the client named, "" for none (HTTP/1.0).
  [[nodiscard]] std::string_view host() const noexcept;
  /// The client's address, without its port; "" for a Unix socket.
  [[nodiscard]] const std::string& remote() const;
  /// The media type in lower case without parameters ("application/json"); the default is
  /// "application/octet-stream".
  [[nodiscard]] std::string content_type() const;
  /// A parameter of Content-Type ("charset", "boundary"), unquoted; nothing where there is none.
  [[nodiscard]] std::optional<std::string> content_type_parameter(std::string_view name) const;
  /// The declared length of the body; nothing where it comes in chunks.
  [[nodiscard]] std::optional<std::uint64_t> content_length() const noexcept;
  /// The values of the Cookie fields (RFC 6265 §5.4), in order.
  [[nodiscard]] Pairs cookies() const;
  /// The first cookie of that name.
  [[nodiscard]] std::optional<std::string> cookie(std::string_view name) const;
  /// Whether the client is content with the connection being kept.
  [[nodiscard]] bool keep_alive() const noexcept;
  /// The connection.
  [[nodiscard]] const std::shared_ptr<Transport>& transport() const noexcept;
  /// Whether the client has hung up, or at least ended its side: mostly nobody reads the answer.
  [[nodiscard]] bool disconnected() const noexcept;

  /// What the route's `{name}` matched, decoded; "" where it has no such part.
  [[nodiscard]] std::string_view match_info(std::string_view name) const noexcept;
  /// All of them, in the order of the pattern.
  [[nodiscard]] const Pairs& match_info() const noexcept { return match_info_; }
  /// For routers.
  void set_match_info(Pairs pairs) { match_info_ = std::move(pairs); }
  /// What middlewares and handlers leave for one another (aiohttp's request[…]).
  [[nodiscard]] std::map<std::string, std::any, std::less<>>& state() noexcept { return state_; }

  /// Whether a body came, or is still to come.
  [[nodiscard]] bool can_read_body() const noexcept;
  /// The next piece of the body, at most `max` bytes; "" at its end. A client that waits for
  /// `100 Continue` is told to go on. Throws HTTPException (413, 400) for a body that is over a
  /// limit or malformed, ConnectionResetError where the client hung up, TimeoutError where the body
  /// comes too slowly. Cancellation loses nothing: what came stays for the next read.
  [[nodiscard]] Coro<std::string> read_some(std::size_t max = 65'536);
  /// The whole body; again the same when repeated. Throws as read_some, and HTTPException (413) for
  /// more than ServerOptions::client_max_size.
  [[nodiscard]] Coro<std::string> read();
  /// The pairs of a body of application/x-www-form-urlencoded; none for another type.
  [[nodiscard]] Coro<Pairs> post();
  /// The fields after a chunked body, once it was read.
  [[nodiscard]] const Headers& trailers() const noexcept;

private:
  friend class detail::ServerConnection;
  friend class StreamResponse;
  friend class WebSocketResponse;

  // Ready for the connection's next request.
  void reset();

  detail::ServerConnection* connection_;
  Pairs match_info_;
  std::map<std::string, std::any, std::less<>> state_;
  std::optional<std::string> body_;  // what read() gave
  std::string collected_;            // of a read() that has not ended
};

}  // namespace brio::http
