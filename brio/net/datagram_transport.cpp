#include <brio/net/datagram_transport.hpp>

#include <brio/core/logging.hpp>
#include <brio/net/loop_state.hpp>
#include <brio/net/socket_transport.hpp>
#include <brio/net/system_calls.hpp>

#include <cerrno>
#include <utility>

namespace brio::net::detail {

namespace {
constexpr std::size_t header_size = 8;  // what asyncio counts for each queued datagram

}  // namespace

std::shared_ptr<DatagramSocketTransport> DatagramSocketTransport::create(
    EventLoop& loop, Socket socket, std::shared_ptr<DatagramProtocol> protocol,
    SocketAddress remote, Future<> waiter) {
  auto transport = std::make_shared<DatagramSocketTransport>(
      Private(), loop, std::move(socket), std::move(protocol), std::move(remote));
  transport->begin(std::move(waiter));
  return transport;
}

DatagramSocketTransport::DatagramSocketTransport(Private, EventLoop& loop, Socket socket,
                                                 std::shared_ptr<DatagramProtocol> protocol,
                                                 SocketAddress remote)
    : io_(loop, std::move(socket), Purpose::plain),
      protocol_(std::move(protocol)),
      remote_(std::move(remote)),
      context_(brio::detail::ContextSlot::current().copy()) {
  if (!protocol_) throw TypeError("a transport needs a protocol");
  sockname_ = io_.socket().getsockname();
  sockaddr_storage peer;
  socklen_t length = sizeof peer;
  connected_ =
      ::getpeername(io_.socket().fileno(), reinterpret_cast<sockaddr*>(&peer), &length) == 0;
}

void DatagramSocketTransport::begin(Future<> waiter) {
  EventLoop& loop = get_loop();
  const auto self = shared_from_this();
  LoopState::of(loop).keep(io_.socket().fileno(), self);
  loop.call_soon([self, protocol = protocol_] {
    const brio::detail::ContextSwitch switched(self->context_);
    protocol->connection_made(self);
  });
  loop.call_soon([self] {
    if (!self->closing_) self->io_.start_reading(*self);
  });
  if (waiter) {
    loop.call_soon([waiter = std::move(waiter)] {
      if (!waiter.done()) waiter.set_result();
    });
  }
}

DatagramSocketTransport::~DatagramSocketTransport() = default;

void DatagramSocketTransport::abandon() noexcept {
  closing_ = true;
  conn_lost_ = 1;
  queue_.clear();
  size_ = 0;
  io_.close();
  protocol_ = nullptr;
}

std::any DatagramSocketTransport::get_extra_info(std::string_view name) const {
  if (name == "socket") return TransportSocket(io_.socket());
  if (name == "sockname") return sockname_;
  if (name == "peername" && connected_) return remote_ ? remote_ : io_.socket().getpeername();
  return {};
}

// ---- receiving

void DatagramSocketTransport::io_readable() {
  if (conn_lost_ != 0) return;
  const brio::detail::ContextSwitch switched(context_);
  const LoopState::Loan loan(get_loop());
  sockaddr_storage from;
  socklen_t length = sizeof from;
  auto* const raw = reinterpret_cast<sockaddr*>(&from);
  const ssize_t count =
      ::recvfrom(io_.socket().fileno(), loan.data(), loan.size(), 0, raw, &length);
  if (count < 0) {
    if (!would_block(errno)) error_received(errno, "recvfrom");
    return;
  }
  const std::shared_ptr<DatagramProtocol> protocol = protocol_;
  protocol->datagram_received({loan.data(), static_cast<std::size_t>(count)},
                              SocketAddress::from_raw(raw, length));
}

void DatagramSocketTransport::error_received(int error, const std::string& operation) {
  const std::shared_ptr<DatagramProtocol> protocol = protocol_;
  if (protocol) protocol->error_received(make_oserror(error, operation));
}

// ---- sending

void DatagramSocketTransport::sendto(std::string_view data) {
  if (!remote_ && !connected_) {
    throw ValueError("an endpoint without remote_addr needs an address to send to");
  }
  send_or_queue(data, remote_);
}

void DatagramSocketTransport::sendto(std::string_view data, const SocketAddress& addr) {
  if (remote_ && addr != remote_) {
    throw ValueError("Invalid address: must be none or " + remote_.to_string());
  }
  send_or_queue(data, addr);
}

int DatagramSocketTransport::try_send(std::string_view data, const SocketAddress& addr) noexcept {
  const int fd = io_.socket().fileno();
  const ssize_t count = connected_ ? ::send(fd, data.data(), data.size(), MSG_NOSIGNAL)
                                   : ::sendto(fd, data.data(), data.size(), MSG_NOSIGNAL,
                                              addr.raw(), addr.raw_length());
  return count >= 0 ? 0 : errno;
}

void DatagramSocketTransport::send_or_queue(std::string_view data, const SocketAddress& addr) {
  if (conn_lost_ != 0) {
    if (conn_lost_++ >= late_writes_before_warning) {
      log(LogLevel::warning, "brio.net", "sendto on a datagram endpoint that is closed");
    }
    return;
  }
  if (queue_.empty()) {
    const int error = try_send(data, addr);
    if (error == 0) return;
    if (!would_block(error)) {
      error_received(error, "sendto " + (connected_ ? remote_ : addr).to_string());
      return;
    }
    io_.start_writing(*this);
  }
  queue_.push_back({std::string(data), addr});
  size_ += data.size() + header_size;
  buffer_grew();
}

void DatagramSocketTransport::io_writable() {
  if (conn_lost_ != 0) return;
  const brio::detail::ContextSwitch switched(context_);
  while (!queue_.empty()) {
    const Datagram& next = queue_.front();
    const int error = try_send(next.data, next.addr);
    if (would_block(error)) break;
    const std::string operation = error != 0 ? "sendto " + next.addr.to_string() : std::string();
    size_ -= next.data.size() + header_size;
    queue_.pop_front();
    if (error != 0) {
      error_received(error, operation);
      return;
    }
  }
  buffer_shrank();
  if (!queue_.empty() || conn_lost_ != 0) return;
  io_.stop_writing();
  if (closing_) {
    const auto self = shared_from_this();
    ++conn_lost_;
    call_connection_lost(nullptr);
  }
}

void DatagramSocketTransport::set_write_buffer_limits(WriteBufferLimitsOptions options) {
  flow_.set_limits(options);
  buffer_grew();
}

void DatagramSocketTransport::buffer_grew() {
  if (auto error = flow_.grew(size_, protocol_)) {
    report(std::move(error), "protocol.pause_writing() failed");
  }
}

void DatagramSocketTransport::buffer_shrank() {
  if (auto error = flow_.shrank(size_, protocol_)) {
    report(std::move(error), "protocol.resume_writing() failed");
  }
}

// ---- the end

void DatagramSocketTransport::close() {
  if (closing_) return;
  closing_ = true;
  io_.stop_reading();
  if (!queue_.empty()) return;
  io_.stop_writing();
  ++conn_lost_;
  get_loop().call_soon([self = shared_from_this()] { self->call_connection_lost(nullptr); });
}

void DatagramSocketTransport::force_close(std::exception_ptr exc) {
  if (conn_lost_ != 0) return;
  queue_.clear();
  size_ = 0;
  closing_ = true;
  io_.stop_reading();
  io_.stop_writing();
  ++conn_lost_;
  get_loop().call_soon(
      [self = shared_from_this(), exc = std::move(exc)] { self->call_connection_lost(exc); });
}

void DatagramSocketTransport::call_connection_lost(const std::exception_ptr& exc) {
  const brio::detail::ContextSwitch switched(context_);
  struct Finish {
    DatagramSocketTransport& self;
    ~Finish() {
      const auto kept = LoopState::of(self.get_loop()).release(self.io_.socket().fileno());
      self.io_.close();
    }
  } const finish{*this};
  if (const auto protocol = std::exchange(protocol_, nullptr)) protocol->connection_lost(exc);
}

void DatagramSocketTransport::report(std::exception_ptr exc, const char* message) {
  ExceptionContext context;
  context.message = message;
  context.exception = std::move(exc);
  context.source = "transport: datagrams at " + sockname_.to_string();
  get_loop().call_exception_handler(context);
}

}  // namespace brio::net::detail
