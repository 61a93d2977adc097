// The HTTP server (aiohttp.web.Server, AppRunner and its sites).
//
//     brio::http::Server server([](Request& request) -> Coro<Response> {
//       co_return "Hello, World!";
//     });
//     co_await server.listen("127.0.0.1", 8080);
//     co_await server.serve_forever();
#pragma once

#include <brio/core/coro.hpp>
#include <brio/core/time.hpp>
#include <brio/http/parser_limits.hpp>
#include <brio/http/server_request.hpp>
#include <brio/http/server_response.hpp>
#include <brio/net/connection.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace brio::http {

namespace detail {
class ServerCore;
}  // namespace detail

/// Answers one request. What it throws is answered with 500 and logged; see HTTPException. The
/// closure is kept as long as the server: captures are safe to use.
using Handler = std::function<Coro<Response>(Request&)>;

/// What was answered, for an access log.
struct AccessRecord {
  const Request& request;   ///< what was asked
  int status;               ///< what was answered
  std::uint64_t body_size;  ///< bytes of the body that were sent
  Duration duration;        ///< from the head's arrival to the answer's last byte written; to the
                            ///< handler's end where it upgraded the connection (status 101)
};

/// What clients may cost. Times are looked at once a second, or at a quarter of the shortest of
/// them where that is less: each may pass up to two looks late, never early. A zero or negative
/// time is no limit.
struct ServerOptions {
  /// Request line, header fields and their count, the whole head, chunk extensions, the whole body
  /// (default 1 GiB).
  ParserLimits limits = {.max_line_size = 8'190,
                         .max_field_size = 8'190,
                         .max_headers = 100,
                         .max_header_bytes = 65'536,
                         .max_chunk_extensions = 4'096,
                         .max_body_size = std::uint64_t(1) << 30};
  /// What Request::read and its kin collect at most: 1 MiB, as aiohttp's.
  std::size_t client_max_size = std::size_t(1) << 20;
  /// From a request's first byte (for the first one: from the connection on) to the end of its head
  /// ("slowloris"). Then 408.
  Duration header_timeout = std::chrono::seconds(30);
  /// A connection without a request.
  Duration keepalive_timeout = std::chrono::seconds(75);
  /// A body must come with this many bytes a second on average, once `body_grace` has passed.
  /// Counted only while the handler waits for it. 0: any.
  std::uint64_t min_body_rate = 240;
  /// See there.
  Duration body_grace = std::chrono::seconds(5);
  /// A client that takes nothing of what is sent for this long is cut off.
  Duration write_timeout = std::chrono::seconds(60);
  /// How long the rest of what a client sends is read and dropped, when an answer ended the
  /// connection early, so that the answer arrives (RFC 9112 §9.6).
  Duration lingering_timeout = std::chrono::seconds(10);
  /// Requests on one connection; then it is closed. 0: any number.
  std::uint64_t max_requests_per_connection = 0;
  /// Connections in all; further ones get 503. 0: any number.
  std::size_t max_connections = 0;
  /// Connections from one address; further ones get 503. Of use where no proxy stands in front. 0:
  /// any number.
  std::size_t max_connections_per_address = 0;
  /// Cancel the handler's task when its client hangs up (aiohttp's handler_cancellation).
  bool handler_cancellation = false;
  /// The Server field; "" for none.
  std::string server_header = "brio";
  /// Called after each answer.
  std::function<void(const AccessRecord&)> access_log = {};
};

/// Counts since the start.
struct ServerStats {
  std::uint64_t connections = 0;  ///< accepted
  std::uint64_t requests = 0;     ///< answered
  std::size_t open = 0;           ///< connections that stand
  std::uint64_t refused = 0;      ///< connections over a limit
  std::uint64_t bad = 0;          ///< requests that were none
};

/// Serves HTTP/1.1 on any number of addresses. Belongs to the loop that it first listens on.
///
/// A connection's requests are answered in the order in which they came (pipelining), all answers
/// of one read in one write. The handler runs in a task of the connection, which begins to run
/// without a turn of the loop.
class BRIO_API Server {
public:
  explicit Server(Handler handler, ServerOptions options = {});
  Server(Server&&) noexcept = default;
  Server& operator=(Server&&) noexcept = default;
  /// Closes what is still open.
  ~Server();

  /// Listens on host and port (aiohttp's TCPSite); 0 for a free port. Throws as create_server.
  Coro<std::shared_ptr<brio::Server>> listen(ServerHosts hosts, int port,
                                             brio::ServerOptions options = {.backlog = 1024});
  /// Listens on a Unix socket (UnixSite).
  Coro<std::shared_ptr<brio::Server>> listen_unix(std::string path,
                                                  brio::ServerOptions options = {.backlog = 1024});
  /// Listens on a socket that is bound already (SockSite).
  Coro<std::shared_ptr<brio::Server>> listen_socket(net::Socket sock,
                                                    brio::ServerOptions options = {});

  /// Makes the protocol of one connection, for servers made by other means.
  [[nodiscard]] std::shared_ptr<Protocol> make_protocol();

  /// Waits until shutdown. Cancellation shuts down, with `shutdown_timeout`.
  Coro<> serve_forever(Duration shutdown_timeout = std::chrono::seconds(60));
  /// Stops to listen, closes connections that wait for a further request, lets the others answer
  /// what they have begun, with `Connection: close`, and cuts off, with their handlers cancelled,
  /// those that are not done after `timeout`. A connection that has not sent a request yet has
  /// about a second to do so. Ends serve_forever. Cancellation cuts off at once. Harmless when
  /// repeated.
  Coro<> shutdown(Duration timeout = std::chrono::seconds(60));

  /// The port of the first listener; 0 where there is none.
  [[nodiscard]] int port() const;
  /// The listeners.
  [[nodiscard]] const std::vector<std::shared_ptr<brio::Server>>& listeners() const noexcept;
  /// See ServerStats.
  [[nodiscard]] ServerStats stats() const noexcept;

private:
  std::shared_ptr<detail::ServerCore> core_;
};

}  // namespace brio::http
