#include <brio/http/detail/server_core.hpp>

#include <brio/http/detail/server_connection.hpp>
#include <brio/http/fields.hpp>

#include <algorithm>
#include <chrono>

namespace brio::http::detail {
namespace {

// How often to look: at a quarter of the shortest limit, within bounds that cost nothing.
Duration period_for(const ServerOptions& options) {
  Duration period = std::chrono::seconds(1);
  for (const Duration limit : {options.header_timeout, options.keepalive_timeout,
                               options.write_timeout, options.lingering_timeout}) {
    if (limit > Duration::zero()) period = std::min(period, limit / 4);
  }
  return std::max<Duration>(period, std::chrono::milliseconds(5));
}

}  // namespace

ServerCore::ServerCore(Handler handler, ServerOptions options)
    : handler_(std::move(handler)), options_(std::move(options)), period_(period_for(options_)) {
  if (!handler_) throw ValueError("a server needs a handler");
  if (!is_field_value(options_.server_header)) throw ValueError("invalid Server field");
}

ServerCore::~ServerCore() { clock_.cancel(); }

bool ServerCore::add(ServerConnection& connection) {
  ++stats_.connections;
  connection.place = connections_.size();
  connections_.push_back(&connection);
  stats_.open = connections_.size();
  if (!clock_ || clock_.cancelled()) wind();
  bool welcome = options_.max_connections == 0 || connections_.size() <= options_.max_connections;
  if (options_.max_connections_per_address > 0) {
    welcome =
        ++per_address_[connection.remote()] <= options_.max_connections_per_address && welcome;
  }
  if (!welcome) ++stats_.refused;
  return welcome;
}

void ServerCore::remove(ServerConnection& connection) noexcept {
  connections_.back()->place = connection.place;
  connections_[connection.place] = connections_.back();
  connections_.pop_back();
  stats_.open = connections_.size();
  if (options_.max_connections_per_address > 0) {
    const auto found = per_address_.find(connection.remote());
    if (found != per_address_.end() && --found->second == 0) per_address_.erase(found);
  }
  if (!connections_.empty()) return;
  clock_.cancel();
  clock_ = {};
  for (const Future<>& waiter : std::exchange(waiters_, {})) {
    if (!waiter.done()) waiter.set_result();
  }
}

void ServerCore::wind() {
  EventLoop& loop = get_running_loop();
  now_ = loop.time();
  renew_fields();
  clock_ = loop.call_later(period_, [this] { strike(); });
}

void ServerCore::strike() {
  wind();
  for (std::size_t at = connections_.size(); at-- > 0;) {
    // One that is cut off leaves the list through the loop, not from here.
    connections_[at]->look_at_time(now_, period_);
  }
}

void ServerCore::renew_fields() {
  const auto today = std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
  standing_fields_ = "Date: " + format_http_date(today) + "\r\n";
  if (!options_.server_header.empty()) {
    standing_fields_ += "Server: " + options_.server_header + "\r\n";
  }
}

std::vector<std::shared_ptr<ServerConnection>> ServerCore::all() const {
  std::vector<std::shared_ptr<ServerConnection>> copies;
  copies.reserve(connections_.size());
  for (ServerConnection* connection : connections_) {
    copies.push_back(connection->shared_from_this());
  }
  return copies;
}

void ServerCore::begin_shutdown() {
  stopping_ = true;
  for (const auto& listener : listeners) listener->close();
  for (const auto& connection : all()) connection->stop();
  if (stopped && !stopped.done()) stopped.set_result();
}

Coro<> ServerCore::wait_empty(std::shared_ptr<ServerCore> self) {
  if (self->connections_.empty()) co_return;
  const Future<> empty = get_running_loop().create_future<>();
  self->waiters_.push_back(empty);
  co_await empty;
}

void ServerCore::abort_all() {
  for (const auto& connection : all()) connection->cut_off(true);
}

}  // namespace brio::http::detail
