#include <brio/http/connector.hpp>

#include <brio/core/loop.hpp>
#include <brio/core/sleep.hpp>
#include <brio/core/timeouts.hpp>
#include <brio/http/detail/pool.hpp>
#include <brio/net/connection.hpp>
#include <brio/tls/context.hpp>
#include <brio/tls/error.hpp>

#include <utility>

namespace brio::http {

BaseConnector::~BaseConnector() = default;

namespace {

using detail::Http1Connection;
using detail::Pool;

// Gives a place back when it goes.
class Place {
public:
  Place(std::shared_ptr<Pool> pool, std::string key)
      : pool_(std::move(pool)), key_(std::move(key)) {}
  Place(Place&&) noexcept = default;
  Place& operator=(Place&&) = delete;
  ~Place() {
    if (pool_) pool_->release(key_);
  }

private:
  std::shared_ptr<Pool> pool_;
  std::string key_;
};

std::string key_of(const Destination& destination) {
  std::string key = destination.url.origin();
  if (destination.ssl) {
    key += " " + std::to_string(reinterpret_cast<std::uintptr_t>(destination.ssl.get()));
  }
  return key;
}

// The errors of the layers below as the client's own; the message keeps theirs.
[[noreturn]] void rethrow_as_connector_error(const std::exception_ptr& error, const URL& url) {
  try {
    std::rethrow_exception(error);
  } catch (const ClientError&) {
    throw;
  } catch (const gaierror& e) {
    throw ClientConnectorDNSError(url.host_subcomponent(), url.port(), e.code(), e.what());
  } catch (const tls::SSLCertVerificationError& e) {
    throw ClientConnectorCertificateError(url.host_subcomponent(), url.port(), e.code(), e.what());
  } catch (const tls::SSLError& e) {
    throw ClientConnectorSSLError(url.host_subcomponent(), url.port(), e.code(), e.what());
  } catch (const OSError& e) {
    throw ClientConnectorError(url.host_subcomponent(), url.port(), e.code(), e.what());
  }
}

Coro<std::shared_ptr<Http1Connection>> make_connection(std::shared_ptr<Pool> pool,
                                                       Destination destination) {
  ConnectionOptions options;
  options.family = pool->options.family;
  options.happy_eyeballs_delay = pool->options.happy_eyeballs_delay;
  if (destination.url.is_secure()) {
    if (!destination.ssl && !pool->options.ssl) pool->options.ssl = tls::create_default_context();
    options.ssl = destination.ssl ? destination.ssl : pool->options.ssl;
  }
  const ParserLimits limits = pool->options.parser_limits;
  const auto factory = [limits] { return std::make_shared<Http1Connection>(limits); };
  std::exception_ptr error;
  try {
    auto made = co_await create_connection(factory, destination.url.host(), destination.url.port(),
                                           std::move(options));
    co_return std::move(made.second);
  } catch (const std::exception&) {
    error = std::current_exception();
  }
  rethrow_as_connector_error(error, destination.url);
}

// A deadline on an awaitable, with an error of our own when it strikes.
template <class Error, class T>
Coro<T> limited(std::optional<TimePoint> when, Coro<T> coro, std::string message) {
  Timeout scope(when);
  scope.enter();
  Outcome<T> outcome = co_await as_outcome(std::move(coro));
  const std::exception_ptr error = scope.leave(outcome.error());
  // leave() gives another error than the block's own only where this deadline cancelled it.
  if (error && scope.expired() && error != outcome.error()) throw Error(std::move(message));
  if (error) std::rethrow_exception(error);
  co_return std::move(outcome).value();
}

std::optional<TimePoint> deadline(std::optional<Duration> delay) {
  if (!delay) return std::nullopt;
  return brio::detail::deadline_after(*delay);
}

Coro<std::unique_ptr<detail::Exchange>> open_exchange(std::shared_ptr<Pool> pool,
                                                      Destination destination,
                                                      std::optional<Duration> sock_connect) {
  const std::string key = key_of(destination);
  co_await pool->acquire(key);
  auto place = std::make_shared<Place>(pool, key);
  std::shared_ptr<Http1Connection> connection;
  if (!destination.fresh) connection = pool->take_idle(key);
  if (!connection) {
    pool->make_room();
    const std::string message = "Connection timeout to host " + destination.url.origin();
    connection = co_await limited<ConnectionTimeoutError>(
        deadline(sock_connect), make_connection(pool, std::move(destination)), message);
    // close() may have come while it was made, and has not seen it.
    if (pool->closed()) {
      connection->abort(nullptr);
      throw RuntimeError("Connector is closed.");
    }
  }
  pool->add_active(connection.get());
  auto give_back = [pool, key, connection, place = std::move(place)](bool reusable) mutable {
    pool->remove_active(connection.get());
    if (reusable) pool->put_idle(key, connection);
    connection.reset();
    place.reset();
  };
  co_return std::make_unique<detail::Http1Exchange>(connection, std::move(give_back));
}

}  // namespace

TCPConnector::TCPConnector(TCPConnectorOptions options)
    : pool_(std::make_shared<detail::Pool>(std::move(options))) {}

TCPConnector::~TCPConnector() { pool_->close(); }

Coro<std::unique_ptr<detail::Exchange>> TCPConnector::open(Destination destination,
                                                           ConnectTimeouts timeouts) {
  const std::string origin = destination.url.origin();
  auto opening = open_exchange(pool_, std::move(destination), timeouts.sock_connect);
  auto connecting = limited<ConnectionTimeoutError>(deadline(timeouts.connect), std::move(opening),
                                                    "Connection timeout to host " + origin);
  co_return co_await limited<TimeoutError>(timeouts.total, std::move(connecting),
                                           "Total timeout of the request passed");
}

Coro<> TCPConnector::close() {
  pool_->close();
  // The transports tell their protocols through the loop.
  co_await yield_now();
}

bool TCPConnector::closed() const noexcept { return pool_->closed(); }
std::size_t TCPConnector::acquired() const noexcept { return pool_->acquired(); }
std::size_t TCPConnector::idle() const noexcept { return pool_->idle(); }
std::size_t TCPConnector::waiting() const noexcept { return pool_->waiting(); }

}  // namespace brio::http
