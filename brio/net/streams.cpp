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
    : flow_(reader.state()),
      server_side_(on_connected != nullptr),
      on_connected_(std::move(on_connected)) {}
StreamReaderProtocol::~StreamReaderProtocol() = default;

// ---- a client's task

void net::detail::ClientTaskEnd::watch(const AnyTask& task,
                                       std::shared_ptr<StreamReaderProtocol> protocol) {
  protocol_ = std::move(protocol);
  task.state()->add(*this);
}

void net::detail::ClientTaskEnd::on_done(brio::detail::FutureBase& task) {
  task_ = brio::detail::Ref<brio::detail::FutureBase>(&task);
  task.core().ready(*this);
}

void net::detail::ClientTaskEnd::run() {
  // This is a part of the protocol, and may hold the last of it.
  const auto protocol = std::move(protocol_);
  const AnyFuture task(std::move(task_));
  protocol->client_task_ended(task);
}

void net::detail::ClientTaskEnd::drop() noexcept {
  const auto protocol = std::move(protocol_);
  task_ = {};
}

void StreamReaderProtocol::client_task_ended(const AnyFuture& task) {
  on_connected_ = nullptr;
  // Null when the last writer has gone, and then it was closed.
  const auto transport = flow_.transport();
  const std::exception_ptr error = task.cancelled() ? nullptr : task.exception();
  if (error) {
    ExceptionContext context;
    context.message = "Unhandled exception in client_connected_cb";
    context.exception = error;
    context.future = task;
    context.source = "transport: closed because of this";
    task.get_loop().call_exception_handler(context);
  }
  if (transport && (error || task.cancelled())) transport->close();
}

void StreamReaderProtocol::connection_made(std::shared_ptr<Transport> transport) {
  reader()->transport_ = transport;
  over_ssl_ = transport->get_extra_info("sslcontext").has_value();
  if (!on_connected_ || client_called_) return;
  client_called_ = true;
  const StreamReader stream(reader());
  const AnyTask task =
      on_connected_->start(stream, StreamWriter(transport, shared_from_this(), stream));
  if (task) {
    client_task_end_.watch(task, shared_from_this());
  } else {
    on_connected_ = nullptr;
  }
}

void StreamReaderProtocol::data_received(std::string_view data) {
  // Nobody has a handle any more: nobody will read it.
  if (reader()->wanted() || flow_.has_writers()) reader()->feed_data(data);
}

bool StreamReaderProtocol::eof_received() {
  reader()->feed_eof();
  // Over TLS the connection ends here, whatever is answered.
  return !over_ssl_;
}

void StreamReaderProtocol::connection_lost(std::exception_ptr exc) {
  if (exc) {
    reader()->set_exception(exc);
  } else {
    reader()->feed_eof();
  }
  flow_.connection_lost(exc);
  // The reader may live on in a handle; the transport need not.
  reader()->transport_ = nullptr;
  reader()->paused_ = false;
}

void StreamReaderProtocol::replace_transport(const std::shared_ptr<Transport>& transport) {
  reader()->transport_ = transport;
  over_ssl_ = transport->get_extra_info("sslcontext").has_value();
}

// ---- StreamWriter

StreamWriter::StreamWriter(std::shared_ptr<Transport> transport,
                           std::shared_ptr<StreamFlowControl> flow,
                           std::optional<StreamReader> reader)
    : flow_(std::move(flow)) {
  flow_->transport_ = std::move(transport);
  if (reader && !flow_->reader_) flow_->reader_ = reader->state();
  count();
}

StreamWriter::StreamWriter(std::shared_ptr<Transport> transport,
                           const std::shared_ptr<StreamReaderProtocol>& protocol,
                           std::optional<StreamReader> reader)
    : StreamWriter(std::move(transport), StreamReaderProtocol::flow_of(protocol),
                   std::move(reader)) {}

Coro<void> StreamWriter::drain_of(StreamWriter self) {
  if (const net::detail::ReaderRef& reader = self.flow_->reader_) {
    if (reader->exception_) std::rethrow_exception(reader->exception_);
  }
  if (self.is_closing()) co_await yield_now();
  co_await StreamFlowControl::drain(self.flow_);
}

Coro<void> StreamWriter::start_tls_of(StreamWriter self,
                                      std::shared_ptr<const net::TLSContext> sslcontext,
                                      WriterStartTLSOptions options) {
  co_await drain_of(self);
  const auto protocol =
      std::dynamic_pointer_cast<StreamReaderProtocol>(self.transport()->get_protocol());
  if (!protocol) throw TypeError("start_tls needs a StreamWriter over a StreamReaderProtocol");
  StartTLSOptions start;
  start.server_side = protocol->server_side();
  start.server_hostname = std::move(options.server_hostname);
  start.ssl_handshake_timeout = options.ssl_handshake_timeout;
  start.ssl_shutdown_timeout = options.ssl_shutdown_timeout;
  start.ssl_session = std::move(options.ssl_session);
  // A client may have begun TLS in the same packet as its last line of plain text. A server cannot:
  // what is there then was put in by somebody else and must not be read as if TLS had protected it;
  // taken for TLS, it ends the handshake.
  if (self.flow_->reader_) start.received = self.flow_->reader_->take_buffer();
  auto transport =
      co_await brio::start_tls(self.transport(), protocol, std::move(sslcontext), std::move(start));
  self.flow_->transport_ = std::move(transport);
  protocol->replace_transport(self.transport());
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
