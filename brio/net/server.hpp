// Server: listening sockets and the connections accepted on them (asyncio.Server).
#pragma once

#include <brio/core/context.hpp>
#include <brio/core/coro.hpp>
#include <brio/core/detail/function.hpp>
#include <brio/core/future.hpp>
#include <brio/core/handle.hpp>
#include <brio/core/time.hpp>
#include <brio/net/protocol.hpp>
#include <brio/net/socket.hpp>
#include <brio/net/tls_layer.hpp>

#include <memory>
#include <optional>
#include <string>
#include <sys/types.h>
#include <vector>

namespace brio {

class EventLoop;

namespace net::detail {

using ProtocolFactory = brio::detail::UniqueFunction<std::shared_ptr<Protocol>()>;

/// What a Server is made of.
struct ServerParts {
  std::vector<Socket> sockets;
  ProtocolFactory factory;
  std::shared_ptr<const TLSContext> ssl = nullptr;
  std::optional<Duration> ssl_handshake_timeout = std::nullopt;
  std::optional<Duration> ssl_shutdown_timeout = std::nullopt;
  int backlog = 100;
  /// A Unix socket's path, to be removed on close if it is still ours.
  std::string path = {};
};

class SocketTransport;

}  // namespace net::detail

/// Serves connections until it is closed. Made by create_server, start_server and their kin; a
/// serving one is kept alive by its loop.
class BRIO_API Server : public std::enable_shared_from_this<Server> {
  struct Private {};

public:
  Server(Private, EventLoop& loop, net::detail::ServerParts parts);
  [[nodiscard]] static std::shared_ptr<Server> create(EventLoop& loop,
                                                      net::detail::ServerParts parts);
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;
  ~Server();

  /// Stops listening at once. Connections that stand go on; wait_closed waits for them. Ends a
  /// serve_forever. Harmless when repeated.
  void close();
  /// Closes every connection that stands (Transport::close): what was written is sent first, and a
  /// TLS peer is told the end (close_notify), where asyncio's cuts the socket beneath.
  void close_clients();
  /// Aborts every connection that stands.
  void abort_clients();
  /// Is it accepting?
  [[nodiscard]] bool is_serving() const noexcept { return serving_; }
  /// The listening sockets; none once closed.
  [[nodiscard]] std::vector<net::TransportSocket> sockets() const;
  /// The loop that it serves on.
  [[nodiscard]] EventLoop& get_loop() const noexcept { return *loop_; }

  /// Begins to accept; harmless when it does so already. Gives the loop one turn.
  Coro<void> start_serving();
  /// Accepts until cancelled or closed. Cancellation closes the server and its clients and waits
  /// for them. Throws RuntimeError when closed, or awaited already by another task;
  /// CancelledError in the end in every case, as asyncio does.
  Coro<void> serve_forever();
  /// Waits until the server is closed and every connection is gone.
  Coro<void> wait_closed();

  // ---- for transports

  /// A connection begins and ends.
  void attach() noexcept { ++clients_; }
  /// A connection has ended.
  void detach();
  /// start_serving without the turn.
  void begin_serving();

private:
  static Coro<void> start_serving_of(std::shared_ptr<Server> self);
  static Coro<void> serve_forever_of(std::shared_ptr<Server> self);
  static Coro<void> wait_closed_of(std::shared_ptr<Server> self);

  void listen_on(std::size_t index);
  void accept_ready(std::size_t index);
  void accepted(int fd, const sockaddr_storage& peer, unsigned length);
  void accept_rest(const net::Socket& listener);
  void connected(net::Socket socket, const net::SocketAddress& peer);
  void connection_failed(std::exception_ptr error);
  void out_of_resources(std::size_t index, int error);
  void remove_path() noexcept;
  void wake_if_done();
  [[nodiscard]] std::vector<std::shared_ptr<net::detail::SocketTransport>> clients() const;

  brio::detail::Ref<brio::detail::LoopCore> loop_kept_;
  EventLoop* loop_;
  net::detail::ServerParts parts_;
  std::vector<TimerHandle> retries_;  // by socket: accepting again after a lack of descriptors
  std::vector<Future<>> waiters_;
  Future<> serving_forever_;
  std::size_t clients_ = 0;
  dev_t path_device_ = 0;
  ino_t path_inode_ = 0;
  bool serving_ = false;
  bool closed_ = false;
  bool done_ = false;  // closed, and no client left
};

}  // namespace brio
