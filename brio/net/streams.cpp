#include <brio/net/streams.hpp>

#include <brio/core/loop.hpp>
#include <brio/core/sleep.hpp>
#include <brio/net/socket_transport.hpp>

#include <utility>

namespace brio {

net::detail::ClientHandler::~ClientHandler() = default;

// ---- StreamReaderProtocol

StreamReaderProtocol::StreamReaderProtocol(const StreamReader& reader,
                                           std::shared_ptr<net::detail::ClientHandler> on_connected)
    : reader_(reader.state()),
      on_connected_(std::move(on_connected)),
      server_side_(on_connected_ != nullptr) {}
StreamReaderProtocol::~StreamReaderProtocol() = default;

namespace {

// What a client's task has come to.
void client_task_done(const AnyFuture& task, const std::shared_ptr<Transport>& transport) {
  if (task.cancelled()) {
    transport->close();
    return;
  }
  const std::exception_ptr error = task.exception();
  if (!error) return;
  ExceptionContext context;
  context.message = "Unhandled exception in client_connected_cb";
  context.exception = error;
  context.future = task;
  context.source = "transport: closed because of this";
  transport->get_loop().call_exception_handler(context);
  transport->close();
}

}  // namespace

void StreamReaderProtocol::connection_made(std::shared_ptr<Transport> transport) {
  reader_->transport_ = transport;
  over_ssl_ = transport->get_extra_info("sslcontext").has_value();
  const auto handler = std::exchange(on_connected_, nullptr);
  if (!handler) return;
  const StreamReader reader(reader_);
  const AnyTask task = handler->start(reader, StreamWriter(transport, shared_from_this(), reader));
  if (!task) return;
  task.add_done_callback([transport](const AnyFuture& done) { client_task_done(done, transport); });
}

void StreamReaderProtocol::data_received(std::string_view data) {
  // Nobody has a handle any more: nobody will read it.
  if (reader_->wanted()) reader_->feed_data(data);
}

bool StreamReaderProtocol::eof_received() {
  reader_->feed_eof();
  // Over TLS the connection ends here, whatever is answered.
  return !over_ssl_;
}

void StreamReaderProtocol::connection_lost(std::exception_ptr exc) {
  if (exc) {
    reader_->set_exception(exc);
  } else {
    reader_->feed_eof();
  }
  flow_.connection_lost(exc);
  // The reader may live on in a handle; the transport need not.
  reader_->transport_ = nullptr;
  reader_->paused_ = false;
}

void StreamReaderProtocol::replace_transport(const std::shared_ptr<Transport>& transport) {
  reader_->transport_ = transport;
  over_ssl_ = transport->get_extra_info("sslcontext").has_value();
}

// ---- StreamWriter

StreamWriter::State::State(std::shared_ptr<Transport> t, std::shared_ptr<StreamFlowControl> f,
                           std::optional<StreamReader> r)
    : transport(std::move(t)), flow(std::move(f)), reader(std::move(r)) {}

StreamWriter::State::~State() {
  if (!transport || transport->is_closing()) return;
  try {
    EventLoop& loop = transport->get_loop();
    if (loop.get_debug()) log(LogLevel::warning, "brio.net", "unclosed StreamWriter");
    if (!loop.is_closed()) transport->close();
  } catch (...) {
    // A closed loop has no use for a close.
  }
}

StreamWriter::StreamWriter(std::shared_ptr<Transport> transport,
                           std::shared_ptr<StreamFlowControl> flow,
                           std::optional<StreamReader> reader)
    : state_(std::make_shared<State>(std::move(transport), std::move(flow), std::move(reader))) {}

StreamWriter::StreamWriter(std::shared_ptr<Transport> transport,
                           const std::shared_ptr<StreamReaderProtocol>& protocol,
                           std::optional<StreamReader> reader)
    : StreamWriter(std::move(transport), StreamReaderProtocol::flow_of(protocol),
                   std::move(reader)) {
  state_->protocol = protocol;
}

Coro<void> StreamWriter::drain_of(std::shared_ptr<State> state) {
  if (state->reader) {
    if (const std::exception_ptr error = state->reader->exception()) {
      std::rethrow_exception(error);
    }
  }
  if (state->transport->is_closing()) co_await yield_now();
  co_await StreamFlowControl::drain(state->flow);
}

Coro<void> StreamWriter::start_tls_of(std::shared_ptr<State> state,
                                      std::shared_ptr<const net::TLSContext> sslcontext,
                                      WriterStartTLSOptions options) {
  const auto protocol = state->protocol.lock();
  if (!protocol) throw TypeError("start_tls needs a StreamWriter over a StreamReaderProtocol");
  co_await drain_of(state);
  StartTLSOptions start;
  start.server_side = protocol->server_side();
  start.server_hostname = std::move(options.server_hostname);
  start.ssl_handshake_timeout = options.ssl_handshake_timeout;
  start.ssl_shutdown_timeout = options.ssl_shutdown_timeout;
  start.ssl_session = std::move(options.ssl_session);
  // A client may have begun TLS in the same packet as its last line of plain text. A server cannot:
  // what is there then was put in by somebody else and must not be read as if TLS had protected it;
  // taken for TLS, it ends the handshake.
  if (state->reader) start.received = state->reader->state()->take_buffer();
  auto transport =
      co_await brio::start_tls(state->transport, protocol, std::move(sslcontext), std::move(start));
  state->transport = std::move(transport);
  protocol->replace_transport(state->transport);
}

// ---- opening and serving

namespace {
struct ClientEnd {
  StreamReader reader;
  std::shared_ptr<StreamReaderProtocol> protocol;
  explicit ClientEnd(std::size_t limit)
      : reader(limit), protocol(std::make_shared<StreamReaderProtocol>(reader)) {}
  // Not a copy of this: the factory is handed away.
  [[nodiscard]] auto factory() const {
    return [made = protocol] { return made; };
  }
};
}  // namespace

Coro<std::pair<StreamReader, StreamWriter>> open_connection(std::string host, int port,
                                                            ConnectionOptions options) {
  const ClientEnd end(options.limit);
  auto made = co_await create_connection(end.factory(), std::move(host), port, std::move(options));
  co_return std::pair(end.reader, StreamWriter(std::move(made.first), end.protocol, end.reader));
}

Coro<std::pair<StreamReader, StreamWriter>> open_connection(net::Socket sock,
                                                            ConnectionOptions options) {
  const ClientEnd end(options.limit);
  auto made = co_await create_connection(end.factory(), std::move(sock), std::move(options));
  co_return std::pair(end.reader, StreamWriter(std::move(made.first), end.protocol, end.reader));
}

Coro<std::pair<StreamReader, StreamWriter>> open_unix_connection(std::string path,
                                                                 ConnectionOptions options) {
  const ClientEnd end(options.limit);
  auto made = co_await create_unix_connection(end.factory(), std::move(path), std::move(options));
  co_return std::pair(end.reader, StreamWriter(std::move(made.first), end.protocol, end.reader));
}

net::detail::ProtocolFactory net::detail::stream_protocols(std::shared_ptr<ClientHandler> handler,
                                                           std::size_t limit) {
  return [handler = std::move(handler), limit]() -> std::shared_ptr<Protocol> {
    return std::make_shared<StreamReaderProtocol>(StreamReader(limit), handler);
  };
}

}  // namespace brio
