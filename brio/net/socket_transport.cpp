#include <brio/net/socket_transport.hpp>

#include <brio/core/logging.hpp>
#include <brio/net/loop_state.hpp>
#include <brio/net/server.hpp>
#include <brio/net/system_calls.hpp>

#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

namespace brio::net::detail {

bool is_oserror(const std::exception_ptr& error) noexcept {
  try {
    if (error) std::rethrow_exception(error);
  } catch (const OSError&) {
    return true;
  } catch (...) {
    return false;
  }
  return false;
}

std::exception_ptr current_ordinary_exception() {
  std::exception_ptr error = std::current_exception();
  if (brio::detail::classify(error) == brio::detail::ErrorKind::fatal) {
    std::rethrow_exception(error);
  }
  return error;
}

// ---- birth

std::shared_ptr<SocketTransport> SocketTransport::create(EventLoop& loop, Socket socket,
                                                         std::shared_ptr<Protocol> protocol,
                                                         Future<> waiter, const SocketAddress& peer,
                                                         std::shared_ptr<Server> server) {
  auto transport = std::make_shared<SocketTransport>(Private(), loop, std::move(socket),
                                                     std::move(protocol), peer);
  transport->begin(std::move(waiter), std::move(server));
  return transport;
}

SocketTransport::SocketTransport(Private, EventLoop& loop, Socket socket,
                                 std::shared_ptr<Protocol> protocol, const SocketAddress& peer)
    : io_(loop, std::move(socket)),
      context_(brio::detail::ContextSlot::current().copy()),
      peer_(peer) {
  set_protocol(std::move(protocol));
  if (!peer_) {
    try {
      peer_ = io_.socket().getpeername();
    } catch (const OSError&) {
      // Gone already; the first read will say so.
    }
  }
  if (peer_.family() != AF_UNIX) io_.socket().set_nodelay();
}

void SocketTransport::begin(Future<> waiter, std::shared_ptr<Server> server) {
  EventLoop& loop = get_loop();
  const auto self = shared_from_this();
  LoopState::of(loop).keep(fileno(), self);
  if (server) {
    server->attach();
    server_ = std::move(server);
  }
  loop.call_soon([self, protocol = protocol_] {
    const brio::detail::ContextSwitch switched(self->context_);
    protocol->connection_made(self);
  });
  loop.call_soon([self] {
    if (self->is_reading() && !self->eof_received_) self->io_.start_reading(*self);
  });
  if (waiter) {
    loop.call_soon([waiter = std::move(waiter)] {
      if (!waiter.done()) waiter.set_result();
    });
  }
}

SocketTransport::~SocketTransport() = default;

void SocketTransport::abandon() noexcept {
  if (auto* const layer = dynamic_cast<TLSLayer*>(protocol_.get())) layer->abandon();
  closing_ = true;
  conn_lost_ = 1;
  buffer_.clear();
  io_.close();
  protocol_ = nullptr;
  buffered_ = false;
  server_ = nullptr;
  if (seldom_) seldom_->empty_waiter = {};
}

// ---- protocol and facts

void SocketTransport::set_protocol(std::shared_ptr<Protocol> protocol) {
  if (!protocol) throw TypeError("a transport needs a protocol");
  buffered_ = protocol->as_buffered() != nullptr;
  protocol_ = std::move(protocol);
}

std::any SocketTransport::get_extra_info(std::string_view name) const {
  if (name == "socket") return TransportSocket(io_.socket());
  if (name == "peername" && peer_) return peer_;
  if (name == "sockname") {
    remember_sockname();
    if (seldom().sockname) return seldom().sockname;
  }
  return {};
}

void SocketTransport::remember_sockname() const {
  if (!io_.socket() || seldom().sockname) return;
  try {
    seldom().sockname = io_.socket().getsockname();
  } catch (const OSError&) {
    // A socket that has gone bad has no name.
  }
}

std::string SocketTransport::peer_text() const { return peer_ ? peer_.to_string() : "a peer"; }

// ---- reading

void SocketTransport::pause_reading() {
  if (!is_reading()) return;
  paused_ = true;
  io_.stop_reading();
}

void SocketTransport::resume_reading() {
  if (closing_ || !paused_) return;
  paused_ = false;
  if (!eof_received_) io_.start_reading(*this);
}

void SocketTransport::io_readable() {
  if (conn_lost_ != 0) return;
  const brio::detail::ContextSwitch switched(context_);
  // Held here: the callback may put another protocol in charge.
  const std::shared_ptr<Protocol> protocol = protocol_;
  if (buffered_) {
    read_into_protocol(*protocol->as_buffered());
  } else {
    read_into_loan();
  }
}

void SocketTransport::read_into_loan() {
  const LoopState::Loan loan(get_loop());
  const StreamIO::Result result = io_.receive(loan.span());
  if (result.again()) return;
  if (result.error != 0) {
    fatal_error(make_oserror(result.error, "recv from " + peer_text()),
                "Fatal read error on socket transport");
    return;
  }
  if (result.count == 0) {
    received_eof();
    return;
  }
  try {
    protocol_->data_received(std::string_view(result.data, result.count));
  } catch (...) {
    fatal_error(current_ordinary_exception(), "Fatal error: protocol.data_received() call failed.");
  }
}

void SocketTransport::read_into_protocol(BufferedProtocol& protocol) {
  std::span<char> memory;
  try {
    memory = protocol.get_buffer(-1);
    if (memory.empty()) throw RuntimeError("get_buffer() returned an empty buffer");
  } catch (...) {
    fatal_error(current_ordinary_exception(), "Fatal error: protocol.get_buffer() call failed.");
    return;
  }
  if (conn_lost_ != 0) return;
  const StreamIO::Result result = io_.receive(memory);
  if (result.again()) return;
  if (result.error != 0) {
    fatal_error(make_oserror(result.error, "recv from " + peer_text()),
                "Fatal read error on socket transport");
    return;
  }
  if (result.count == 0) {
    received_eof();
    return;
  }
  if (result.data != memory.data()) std::memcpy(memory.data(), result.data, result.count);
  try {
    protocol.buffer_updated(result.count);
  } catch (...) {
    fatal_error(current_ordinary_exception(),
                "Fatal error: protocol.buffer_updated() call failed.");
  }
}

void SocketTransport::received_eof() {
  eof_received_ = true;
  bool keep_open = false;
  try {
    keep_open = protocol_->eof_received();
  } catch (...) {
    fatal_error(current_ordinary_exception(), "Fatal error: protocol.eof_received() call failed.");
    return;
  }
  if (keep_open) {
    // The protocol may write on, but nothing more can come.
    io_.stop_reading();
  } else {
    close();
  }
}

// ---- writing

bool SocketTransport::writable(const char* operation) {
  if (eof_) throw RuntimeError(std::string("Cannot call ") + operation + "() after write_eof()");
  if (sending_file()) {
    throw RuntimeError(std::string("unable to ") + operation + "; sendfile is in progress");
  }
  if (conn_lost_ == 0) return true;
  if (conn_lost_ >= late_writes_before_warning) {
    log(LogLevel::warning, "brio.net", "write to a connection that is lost (" + peer_text() + ")");
  }
  ++conn_lost_;
  return false;
}

void SocketTransport::write_bytes(std::string_view data, std::string* owned) {
  if (!writable("write") || data.empty()) return;
  std::size_t sent = 0;
  if (buffer_.empty()) {
    const StreamIO::Result result = io_.send(data.data(), data.size());
    if (result.error != 0 && !result.again()) {
      send_failed(result.error);
      return;
    }
    sent = result.count;
    if (sent == data.size()) return;
    io_.start_writing(*this);
  }
  if (owned != nullptr) {
    buffer_.append(std::move(*owned), sent);
  } else {
    buffer_.append(data.substr(sent));
  }
  buffer_grew();
}

void SocketTransport::writelines(std::span<const std::string_view> pieces) {
  if (!writable("writelines") || pieces.empty()) return;
  std::size_t sent = 0;
  if (buffer_.empty()) {
    std::array<iovec, max_iovecs> parts;
    std::size_t count = 0;
    for (const std::string_view piece : pieces) {
      if (count == parts.size()) break;
      if (piece.empty()) continue;
      parts[count++] = {const_cast<char*>(piece.data()), piece.size()};
    }
    if (count == 0) return;
    const StreamIO::Result result = io_.send(parts.data(), count);
    if (result.error != 0 && !result.again()) {
      send_failed(result.error);
      return;
    }
    sent = result.count;
  }
  for (const std::string_view piece : pieces) {
    if (sent >= piece.size()) {
      sent -= piece.size();
    } else {
      buffer_.append(piece.substr(std::exchange(sent, 0)));
    }
  }
  if (buffer_.empty()) return;
  io_.start_writing(*this);
  buffer_grew();
}

void SocketTransport::io_writable() {
  if (conn_lost_ != 0) return;
  if (buffer_.empty()) {
    io_.stop_writing();
    wake_empty_waiter();
    return;
  }
  const brio::detail::ContextSwitch switched(context_);
  std::array<iovec, max_iovecs> parts;
  const std::size_t count = buffer_.gather(parts.data(), parts.size());
  const StreamIO::Result result = io_.send(parts.data(), count);
  if (result.again()) return;
  if (result.error != 0) {
    io_.stop_writing();
    buffer_.clear();
    send_failed(result.error);
    return;
  }
  buffer_.consume(result.count);
  buffer_shrank();
  // The protocol, told to resume, may have written more or ended everything.
  if (!buffer_.empty() || conn_lost_ != 0) return;
  io_.stop_writing();
  wake_empty_waiter();
  if (closing_) {
    const auto self = shared_from_this();
    ++conn_lost_;
    call_connection_lost(nullptr);
  } else if (eof_) {
    io_.shutdown_writing();
  }
}

void SocketTransport::send_failed(int error) {
  fatal_error(make_oserror(error, "send to " + peer_text()),
              "Fatal write error on socket transport");
}

void SocketTransport::write_eof() {
  if (closing_ || eof_) return;
  eof_ = true;
  if (buffer_.empty()) io_.shutdown_writing();
}

void SocketTransport::set_write_buffer_limits(WriteBufferLimitsOptions options) {
  flow_.set_limits(options);
  buffer_grew();
}

void SocketTransport::buffer_grew() {
  if (auto error = flow_.grew(buffer_.size(), protocol_)) {
    report(std::move(error), "protocol.pause_writing() failed");
  }
}

void SocketTransport::buffer_shrank() {
  if (auto error = flow_.shrank(buffer_.size(), protocol_)) {
    report(std::move(error), "protocol.resume_writing() failed");
  }
}

SocketTransport::Seldom& SocketTransport::seldom() const {
  if (!seldom_) seldom_ = std::make_unique<Seldom>();
  return *seldom_;
}

void SocketTransport::wake_empty_waiter() {
  if (sending_file() && !seldom_->empty_waiter.done()) seldom_->empty_waiter.set_result();
}

Future<> SocketTransport::make_empty_waiter() {
  if (sending_file()) throw RuntimeError("a sendfile is in progress already");
  Future<>& waiter = seldom().empty_waiter;
  waiter = get_loop().create_future<>();
  if (buffer_.empty()) waiter.set_result();
  return waiter;
}

Future<> SocketTransport::wait_writable() {
  Future<>& waiter = seldom().empty_waiter;
  waiter = get_loop().create_future<>();
  if (closing_) {
    waiter.set_exception(lost_during_sendfile());
  } else {
    io_.start_writing(*this);
  }
  return waiter;
}

void SocketTransport::reset_empty_waiter() {
  if (seldom_) seldom_->empty_waiter = {};
  if (buffer_.empty()) io_.stop_writing();
}

std::exception_ptr SocketTransport::lost_during_sendfile() const {
  return std::make_exception_ptr(ConnectionAbortedError(
      ECONNABORTED, "sendfile to " + peer_text() + " on a transport that was closed"));
}

// ---- the end

void SocketTransport::close() {
  if (closing_) return;
  closing_ = true;
  io_.stop_reading();
  if (!buffer_.empty()) return;
  io_.stop_writing();
  schedule_connection_lost(nullptr);
}

void SocketTransport::force_close(std::exception_ptr exc) {
  if (conn_lost_ != 0) return;
  buffer_.clear();
  io_.stop_writing();
  closing_ = true;
  io_.stop_reading();
  schedule_connection_lost(std::move(exc));
}

void SocketTransport::schedule_connection_lost(std::exception_ptr exc) {
  ++conn_lost_;
  if (sending_file() && !seldom_->empty_waiter.done()) {
    seldom_->empty_waiter.set_exception(exc ? exc : lost_during_sendfile());
  }
  const auto self = shared_from_this();
  get_loop().call_soon([self, exc = std::move(exc)] { self->call_connection_lost(exc); });
}

void SocketTransport::call_connection_lost(const std::exception_ptr& exc) {
  const brio::detail::ContextSwitch switched(context_);
  struct Finish {
    SocketTransport& self;
    ~Finish() {
      const auto kept = LoopState::of(self.get_loop()).release(self.fileno());
      self.remember_sockname();  // it can be asked for as long as somebody holds the transport
      self.io_.close();
      self.buffered_ = false;
      if (const auto server = std::exchange(self.server_, nullptr)) server->detach();
    }
  } const finish{*this};
  if (const auto protocol = std::exchange(protocol_, nullptr)) protocol->connection_lost(exc);
}

void SocketTransport::fatal_error(std::exception_ptr exc, const char* message) {
  if (!is_oserror(exc)) {
    report(exc, message);
  } else if (get_loop().get_debug()) {
    log(LogLevel::debug, "brio.net", std::string(message) + ": " + describe(exc));
  }
  force_close(std::move(exc));
}

void SocketTransport::report(std::exception_ptr exc, const char* message) {
  ExceptionContext context;
  context.message = message;
  context.exception = std::move(exc);
  context.source = "transport: connection with " + peer_text();
  get_loop().call_exception_handler(context);
}

}  // namespace brio::net::detail
