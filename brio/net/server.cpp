#include <brio/net/server.hpp>

#include <brio/core/loop.hpp>
#include <brio/core/sleep.hpp>
#include <brio/net/loop_state.hpp>
#include <brio/net/socket_transport.hpp>

#include <cerrno>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

namespace brio {

using net::Socket;
using net::SocketAddress;
using net::detail::SocketTransport;

std::shared_ptr<Server> Server::create(EventLoop& loop, net::detail::ServerParts parts) {
  return std::make_shared<Server>(Private(), loop, std::move(parts));
}

Server::Server(Private, EventLoop& loop, net::detail::ServerParts parts)
    : loop_kept_(&loop), loop_(&loop), parts_(std::move(parts)), retries_(parts_.sockets.size()) {
  struct stat status{};
  if (!parts_.path.empty() && ::stat(parts_.path.c_str(), &status) == 0) {
    path_device_ = status.st_dev;
    path_inode_ = status.st_ino;
  }
}

Server::~Server() {
  // Only the loop's own end gets here with open sockets: a serving server is held by its watchers.
  if (!closed_) remove_path();
}

// ---- accepting

void Server::begin_serving() {
  if (serving_) return;
  if (closed_) throw RuntimeError("the server is closed");
  // All or none: what fails here leaves nobody accepting on one of several addresses.
  for (net::Socket& socket : parts_.sockets) socket.listen(parts_.backlog);
  serving_ = true;
  for (std::size_t i = 0; i < parts_.sockets.size(); ++i) {
    loop_->engine().adopt(parts_.sockets[i].fileno(), Purpose::listener);
    listen_on(i);
  }
}

void Server::listen_on(std::size_t index) {
  loop_->add_reader(parts_.sockets[index].fileno(), [self = shared_from_this(), index] {
    // Held here: close() destroys this closure.
    const auto server = self;  // NOLINT(performance-unnecessary-copy-initialization)
    server->accept_ready(index);
  });
}

void Server::accept_ready(std::size_t index) {
  // As many as may have queued, so that a burst needs no poll for each.
  for (int i = 0; i <= parts_.backlog && !closed_; ++i) {
    sockaddr_storage storage;
    socklen_t length = sizeof storage;
    auto* const raw = reinterpret_cast<sockaddr*>(&storage);
    const int fd = loop_->engine().accept(parts_.sockets[index].fileno(), raw, &length);
    if (fd >= 0) {
      accepted(fd, storage, length);
      continue;
    }
    switch (const int error = -fd) {
      case EAGAIN:
      case EINTR:
      case ECONNABORTED: return;
      case EMFILE:
      case ENFILE:
      case ENOBUFS:
      case ENOMEM: out_of_resources(index, error); return;
      default: throw_oserror(error, "accept");
    }
  }
}

void Server::accepted(int fd, const sockaddr_storage& peer, unsigned length) {
  // One turn later, in a copy of the server's context each. It counts from now on: a close in this
  // turn must not let wait_closed end before it.
  attach();
  loop_->call_soon([self = shared_from_this(), socket = Socket::adopt(fd),
                    address = SocketAddress::from_raw(reinterpret_cast<const sockaddr*>(&peer),
                                                      length)]() mutable {
    struct Counted {
      Server& server;
      ~Counted() { server.detach(); }
    } const counted{*self};
    self->connected(std::move(socket), address);
  });
}

// What the engine has accepted ahead are connections like any other: their peers may have written.
void Server::accept_rest(const Socket& listener) {
  while (true) {
    sockaddr_storage storage;
    socklen_t length = sizeof storage;
    const int fd = loop_->engine().accept_rest(listener.fileno(),
                                               reinterpret_cast<sockaddr*>(&storage), &length);
    if (fd < 0) return;
    accepted(fd, storage, length);
  }
}

void Server::out_of_resources(std::size_t index, int error) {
  ExceptionContext context;
  context.message = "socket.accept() out of system resource";
  context.exception = make_oserror(error, "accept");
  context.source = "socket: " + parts_.sockets[index].getsockname().to_string();
  loop_->remove_reader(parts_.sockets[index].fileno());
  // Level-triggered readiness would spin until somebody closes something.
  retries_[index] = loop_->call_later(std::chrono::seconds(1), [self = shared_from_this(), index] {
    if (!self->closed_) self->listen_on(index);
  });
  loop_->call_exception_handler(context);
}

void Server::connected(Socket socket, const SocketAddress& peer) {
  std::shared_ptr<Transport> transport;
  try {
    std::shared_ptr<Protocol> protocol = parts_.factory();
    if (!parts_.ssl) {
      SocketTransport::create(*loop_, std::move(socket), std::move(protocol), {}, peer,
                              shared_from_this());
      return;
    }
    const Future<> waiter = loop_->create_future<>();
    net::TLSLayerOptions options;
    options.server_side = true;
    options.ssl_handshake_timeout = parts_.ssl_handshake_timeout;
    options.ssl_shutdown_timeout = parts_.ssl_shutdown_timeout;
    auto layer = parts_.ssl->make_layer(*loop_, std::move(protocol), waiter, std::move(options));
    transport = SocketTransport::create(*loop_, std::move(socket), std::move(layer), {}, peer,
                                        shared_from_this());
    waiter.add_done_callback([self = shared_from_this(), transport](AnyFuture done) {
      if (done.cancelled()) return;
      if (const std::exception_ptr error = done.exception()) {
        transport->close();
        self->connection_failed(error);
      }
    });
  } catch (...) {
    const std::exception_ptr error = net::detail::current_ordinary_exception();
    if (transport) transport->close();
    connection_failed(error);
  }
}

void Server::connection_failed(std::exception_ptr error) {
  // A peer that cannot shake hands is everyday; a factory that throws is not.
  if (net::detail::is_oserror(error) && !loop_->get_debug()) return;
  ExceptionContext context;
  context.message = "Error on transport creation for incoming connection";
  context.exception = std::move(error);
  loop_->call_exception_handler(context);
}

// ---- clients

std::vector<std::shared_ptr<SocketTransport>> Server::clients() const {
  std::vector<std::shared_ptr<SocketTransport>> ours;
  for (const auto& transport : net::detail::LoopState::of(*loop_).transports()) {
    auto stream = std::dynamic_pointer_cast<SocketTransport>(transport);
    if (stream && stream->owned_by(*this)) ours.push_back(std::move(stream));
  }
  return ours;
}

// What the application sees of a connection: with TLS above the socket, the end is told to the
// peer.
static std::shared_ptr<Transport> uppermost(std::shared_ptr<Transport> transport) {
  while (const auto layer = std::dynamic_pointer_cast<net::TLSLayer>(transport->get_protocol())) {
    transport = layer->app_transport();
  }
  return transport;
}

void Server::close_clients() {
  for (const auto& client : clients()) uppermost(client)->close();
}

void Server::abort_clients() {
  for (const auto& client : clients()) client->abort();
}

void Server::detach() {
  --clients_;
  wake_if_done();
}

void Server::wake_if_done() {
  if (!closed_ || clients_ != 0 || done_) return;
  done_ = true;
  for (const Future<>& waiter : std::exchange(waiters_, {})) {
    if (!waiter.done()) waiter.set_result();
  }
}

// ---- the server's own life

std::vector<net::TransportSocket> Server::sockets() const {
  if (closed_) return {};
  return {parts_.sockets.begin(), parts_.sockets.end()};
}

void Server::remove_path() noexcept {
  if (parts_.path.empty()) return;
  // Somebody else may have put a socket of his own there meanwhile.
  struct stat status{};
  if (::stat(parts_.path.c_str(), &status) != 0) return;
  if (status.st_ino == path_inode_ && status.st_dev == path_device_) {
    ::unlink(parts_.path.c_str());
  }
}

void Server::close() {
  if (closed_) return;
  closed_ = true;
  const auto self = shared_from_this();  // the watchers about to go may be the last to hold us
  for (TimerHandle& retry : retries_) retry.cancel();
  for (Socket& socket : parts_.sockets) {
    loop_->remove_reader(socket.fileno());
    if (serving_) accept_rest(socket);
    loop_->engine().forget(socket.fileno());
    socket.close();
  }
  parts_.sockets.clear();
  remove_path();
  serving_ = false;
  if (const Future<> forever = std::exchange(serving_forever_, {}); forever && !forever.done()) {
    forever.cancel();
  }
  wake_if_done();
}

Coro<void> Server::start_serving() { return start_serving_of(shared_from_this()); }
Coro<void> Server::serve_forever() { return serve_forever_of(shared_from_this()); }
Coro<void> Server::wait_closed() { return wait_closed_of(shared_from_this()); }

Coro<void> Server::start_serving_of(std::shared_ptr<Server> self) {
  self->begin_serving();
  // One turn, so that whatever the start has queued has run.
  co_await yield_now();
}

Coro<void> Server::serve_forever_of(std::shared_ptr<Server> self) {
  if (self->serving_forever_) {
    throw RuntimeError("the server is already being awaited on serve_forever()");
  }
  if (self->closed_) throw RuntimeError("the server is closed");
  self->begin_serving();
  const Future<> forever = self->loop_->create_future<>();
  self->serving_forever_ = forever;
  std::exception_ptr cancelled;
  try {
    co_await forever;
  } catch (const CancelledError&) {
    cancelled = std::current_exception();
  }
  if (cancelled) {
    // A second cancellation while waiting must still end with serving_forever_ free.
    self->serving_forever_ = {};
    self->close();
    self->close_clients();
    try {
      co_await self->wait_closed();
    } catch (const CancelledError&) {
      // The first one is on its way already.
    }
    std::rethrow_exception(cancelled);
  }
}

Coro<void> Server::wait_closed_of(std::shared_ptr<Server> self) {
  if (self->done_) co_return;
  const Future<> waiter = self->loop_->create_future<>();
  self->waiters_.push_back(waiter);
  co_await waiter;
}

}  // namespace brio
