// Streams: connections as a pair of reader and writer (asyncio.streams).
//
//     auto [reader, writer] = co_await brio::open_connection("127.0.0.1", 8888);
//     writer.write("hello\n");
//     co_await writer.drain();
//     std::string line = co_await reader.readline();
//     writer.close();
//     co_await writer.wait_closed();
#pragma once

#include <brio/net/connection.hpp>
#include <brio/net/stream_reader.hpp>
#include <brio/net/stream_writer.hpp>

#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>

namespace brio {

class StreamReaderProtocol;

namespace net::detail {

/// What start_server calls for each client, with the type forgotten.
class BRIO_API ClientHandler {
public:
  ClientHandler() = default;
  ClientHandler(const ClientHandler&) = delete;
  ClientHandler& operator=(const ClientHandler&) = delete;
  virtual ~ClientHandler();
  /// Calls it; the task that it became, empty when it was a plain function. Hold this until that
  /// task has ended.
  virtual AnyTask start(StreamReader reader, StreamWriter writer) = 0;
};

template <class F>
class ClientHandlerOf final : public ClientHandler {
public:
  explicit ClientHandlerOf(F function) : function_(std::move(function)) {}

  AnyTask start(StreamReader reader, StreamWriter writer) override {
    using Result = std::invoke_result_t<F&, StreamReader, StreamWriter>;
    if constexpr (iscoroutine_v<Result>) {
      const auto task = create_task(function_(std::move(reader), std::move(writer)));
      return AnyTask(brio::detail::Ref<brio::detail::FutureBase>(task.state()));
    } else {
      function_(std::move(reader), std::move(writer));
      return {};
    }
  }

private:
  F function_;
};

/// Hears that a client's task has ended. A part of the client's protocol, which it keeps alive
/// until then: as a callback of its own it would cost each connection a piece of memory more.
class BRIO_API ClientTaskEnd final : public brio::detail::DoneCallback {
public:
  ClientTaskEnd() noexcept = default;
  ClientTaskEnd(const ClientTaskEnd&) = delete;
  ClientTaskEnd& operator=(const ClientTaskEnd&) = delete;
  ~ClientTaskEnd() = default;

  /// Calls protocol->client_task_ended() when `task` has.
  void watch(const AnyTask& task, std::shared_ptr<StreamReaderProtocol> protocol);
  void on_done(brio::detail::FutureBase& task) override;
  void run() override;
  void drop() noexcept override;

private:
  std::shared_ptr<StreamReaderProtocol> protocol_;    // while it waits
  brio::detail::Ref<brio::detail::FutureBase> task_;  // from its end to run()
};

template <class F>
concept ClientCallback = std::is_invocable_v<F&, StreamReader, StreamWriter>;

}  // namespace net::detail

/// The protocol that feeds a StreamReader (asyncio.StreamReaderProtocol). Most programs use
/// open_connection and start_server instead.
class BRIO_API StreamReaderProtocol : public Protocol,
                                      public std::enable_shared_from_this<StreamReaderProtocol> {
public:
  explicit StreamReaderProtocol(const StreamReader& reader,
                                std::shared_ptr<net::detail::ClientHandler> on_connected = nullptr);
  ~StreamReaderProtocol() override;

  void connection_made(std::shared_ptr<Transport> transport) override;
  void data_received(std::string_view data) override;
  bool eof_received() override;
  void connection_lost(std::exception_ptr exc) override;
  void pause_writing() override { flow_.pause_writing(); }
  void resume_writing() override { flow_.resume_writing(); }

  /// For a StreamWriter over the same transport. `self` keeps this protocol alive.
  [[nodiscard]] static std::shared_ptr<StreamFlowControl> flow_of(
      const std::shared_ptr<StreamReaderProtocol>& self) {
    return {self, &self->flow_};
  }
  /// Was this made by a server?
  [[nodiscard]] bool server_side() const noexcept { return server_side_; }
  /// For net::detail::ClientTaskEnd: an error is reported; it and a cancellation end the
  /// connection.
  void client_task_ended(const AnyFuture& task);
  /// start_tls has put another transport in place.
  void replace_transport(const std::shared_ptr<Transport>& transport);

private:
  [[nodiscard]] const net::detail::ReaderRef& reader() const noexcept { return flow_.reader(); }

  [[no_unique_address]] StreamFlowControl flow_;  // its last bytes hold the flags
  bool server_side_ : 1;
  bool over_ssl_ : 1 = false;
  bool client_called_ : 1 = false;
  // Held until the task that it became has ended: the closure to which its coroutine may refer.
  std::shared_ptr<net::detail::ClientHandler> on_connected_;
  net::detail::ClientTaskEnd client_task_end_;
};

/// A connection as streams. `options` are create_connection's; it throws and is cancelled as that.
[[nodiscard]] BRIO_API Coro<std::pair<StreamReader, StreamWriter>> open_connection(
    std::string host, int port, ConnectionOptions options = {});
/// The same over a connected socket.
[[nodiscard]] BRIO_API Coro<std::pair<StreamReader, StreamWriter>> open_connection(
    net::Socket sock, ConnectionOptions options = {});
/// The same to a Unix socket.
[[nodiscard]] BRIO_API Coro<std::pair<StreamReader, StreamWriter>> open_unix_connection(
    std::string path, ConnectionOptions options = {});

namespace net::detail {
/// A factory of StreamReaderProtocols that call `handler`.
[[nodiscard]] BRIO_API ProtocolFactory stream_protocols(std::shared_ptr<ClientHandler> handler,
                                                        std::size_t limit);
template <class F>
ProtocolFactory stream_protocols_for(F function, std::size_t limit) {
  return stream_protocols(std::make_shared<ClientHandlerOf<F>>(std::move(function)), limit);
}
}  // namespace net::detail

/// Serves TCP with `client_connected(StreamReader, StreamWriter)`, a function or a coroutine
/// function, for each client (asyncio.start_server). A coroutine becomes a task; the callable
/// lives as long as the server and its tasks. What the task throws goes to the loop's exception
/// handler, and the connection is closed; after a cancellation it is closed without a word.
template <net::detail::ClientCallback F>
BRIO_CORO_WRAPPER Coro<std::shared_ptr<Server>> start_server(F client_connected, ServerHosts hosts,
                                                             int port, ServerOptions options = {}) {
  const std::size_t limit = options.limit;
  return net::detail::serve_hosts(
      net::detail::stream_protocols_for(std::move(client_connected), limit), std::move(hosts), port,
      std::move(options));
}
/// The same on a bound socket.
template <net::detail::ClientCallback F>
BRIO_CORO_WRAPPER Coro<std::shared_ptr<Server>> start_server(F client_connected, net::Socket sock,
                                                             ServerOptions options = {}) {
  const std::size_t limit = options.limit;
  return net::detail::serve_socket(
      net::detail::stream_protocols_for(std::move(client_connected), limit), std::move(sock),
      std::move(options));
}
/// The same on a Unix socket.
template <net::detail::ClientCallback F>
BRIO_CORO_WRAPPER Coro<std::shared_ptr<Server>> start_unix_server(F client_connected,
                                                                  std::string path,
                                                                  ServerOptions options = {}) {
  const std::size_t limit = options.limit;
  return net::detail::serve_unix(
      net::detail::stream_protocols_for(std::move(client_connected), limit), std::move(path),
      std::move(options));
}

}  // namespace brio
