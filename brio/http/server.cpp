#include <brio/http/server.hpp>

#include <brio/core/outcome.hpp>
#include <brio/core/shield.hpp>
#include <brio/core/timeouts.hpp>
#include <brio/http/detail/server_connection.hpp>
#include <brio/http/detail/server_core.hpp>

#include <utility>

namespace brio::http {
namespace {

using CoreRef = std::shared_ptr<detail::ServerCore>;

// Without a share in the core, which holds the listener that holds this.
auto protocol_factory(const CoreRef& core) {
  return [weak = std::weak_ptr(core)]() -> std::shared_ptr<Protocol> {
    auto alive = weak.lock();
    if (!alive) throw RuntimeError("the server is gone");
    return std::make_shared<detail::ServerConnection>(std::move(alive));
  };
}

std::shared_ptr<brio::Server> keep(const CoreRef& core, std::shared_ptr<brio::Server> listener) {
  if (core->stopping()) {
    listener->close();
    throw RuntimeError("the server was shut down");
  }
  core->listeners.push_back(listener);
  return listener;
}

Coro<> wait_stopped(CoreRef core) {
  if (core->stopping()) co_return;
  if (!core->stopped) core->stopped = get_running_loop().create_future<>();
  const Future<> stopped = core->stopped;
  co_await shield(stopped);
}

// An upgraded connection leaves the core with its handler, but may still say its last words.
Coro<> drain(CoreRef core) {
  co_await detail::ServerCore::wait_empty(core);
  for (const auto& listener : core->listeners) co_await listener->wait_closed();
}

Coro<> shut_down(CoreRef core, Duration timeout) {
  core->begin_shutdown();
  const auto drained = co_await as_outcome(wait_for(drain(core), timeout));
  if (drained) co_return;
  core->abort_all();
  for (const auto& listener : core->listeners) listener->abort_clients();
  if (drained.cancelled()) drained.raise();
  co_await drain(core);
}

}  // namespace

Server::Server(Handler handler, ServerOptions options)
    : core_(std::make_shared<detail::ServerCore>(std::move(handler), std::move(options))) {}

Server::~Server() {
  if (!core_ || core_->listeners.empty() || core_->listeners.front()->get_loop().is_closed())
    return;
  core_->begin_shutdown();
  core_->abort_all();
}

Coro<std::shared_ptr<brio::Server>> Server::listen(ServerHosts hosts, int port,
                                                   brio::ServerOptions options) {
  const CoreRef core = core_;
  co_return keep(core, co_await create_server(protocol_factory(core), std::move(hosts), port,
                                              std::move(options)));
}

Coro<std::shared_ptr<brio::Server>> Server::listen_unix(std::string path,
                                                        brio::ServerOptions options) {
  const CoreRef core = core_;
  co_return keep(core, co_await create_unix_server(protocol_factory(core), std::move(path),
                                                   std::move(options)));
}

Coro<std::shared_ptr<brio::Server>> Server::listen_socket(net::Socket sock,
                                                          brio::ServerOptions options) {
  const CoreRef core = core_;
  co_return keep(
      core, co_await create_server(protocol_factory(core), std::move(sock), std::move(options)));
}

std::shared_ptr<Protocol> Server::make_protocol() {
  return std::make_shared<detail::ServerConnection>(core_);
}

Coro<> Server::serve_forever(Duration shutdown_timeout) {
  const CoreRef core = core_;
  const auto outcome = co_await as_outcome(wait_stopped(core));
  if (outcome) co_return;
  const auto down = co_await as_outcome(shut_down(core, shutdown_timeout));
  outcome.raise();
}

BRIO_CORO_WRAPPER Coro<> Server::shutdown(Duration timeout) { return shut_down(core_, timeout); }

int Server::port() const {
  for (const auto& listener : core_->listeners) {
    for (const auto& sock : listener->sockets()) {
      if (sock.family() == AF_INET || sock.family() == AF_INET6) return sock.getsockname().port();
    }
  }
  return 0;
}

const std::vector<std::shared_ptr<brio::Server>>& Server::listeners() const noexcept {
  return core_->listeners;
}

ServerStats Server::stats() const noexcept { return core_->stats(); }

}  // namespace brio::http
