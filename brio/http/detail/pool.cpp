#include <brio/http/detail/pool.hpp>

#include <brio/core/loop.hpp>

#include <algorithm>
#include <utility>
#include <vector>

namespace brio::http::detail {

Pool::~Pool() { close(); }

Coro<> Pool::acquire(std::string key) {
  if (closed_) throw RuntimeError("Connector is closed.");
  Host& host = hosts_[key];
  // Whoever could have a place got it when it became free: who still waits may not have one now.
  if (has_place() && has_place(host)) {
    take(host);
    co_return;
  }
  const auto waiter =
      std::make_shared<Waiter>(Waiter{next_number_++, get_running_loop().create_future<>()});
  host.waiters.push_back(waiter);
  ++waiting_;
  try {
    co_await waiter->future;
  } catch (...) {
    if (waiter->granted) {
      release(key);
    } else if (!closed_) {
      waiting_ -= std::erase(hosts_[key].waiters, waiter);
      forget_if_empty(key);
    }
    throw;
  }
}

void Pool::release(const std::string& key) {
  if (closed_) return;
  Host& host = hosts_[key];
  --host.acquired;
  --acquired_;
  grant();
  forget_if_empty(key);
}

void Pool::grant() {
  while (waiting_ > 0 && has_place()) {
    Host* best = nullptr;
    for (auto& [key, host] : hosts_) {
      if (host.waiters.empty() || !has_place(host)) continue;
      if (best == nullptr || host.waiters.front()->number < best->waiters.front()->number) {
        best = &host;
      }
    }
    if (best == nullptr) return;
    const std::shared_ptr<Waiter> waiter = std::move(best->waiters.front());
    best->waiters.pop_front();
    --waiting_;
    if (waiter->future.done()) continue;  // cancelled, and its task has not run since
    take(*best);
    waiter->granted = true;
    waiter->future.set_result();
  }
}

void Pool::forget_if_empty(const std::string& key) {
  const auto found = hosts_.find(key);
  if (found == hosts_.end()) return;
  const Host& host = found->second;
  if (host.acquired == 0 && host.idle.empty() && host.waiters.empty()) hosts_.erase(found);
}

std::shared_ptr<Http1Connection> Pool::take_idle(const std::string& key) {
  auto& idle = hosts_[key].idle;
  while (!idle.empty()) {
    std::shared_ptr<Http1Connection> connection = std::move(idle.back());
    idle.pop_back();
    --idle_;
    if (connection->is_usable()) return connection;
    connection->close();
  }
  return nullptr;
}

void Pool::put_idle(const std::string& key, std::shared_ptr<Http1Connection> connection) {
  if (closed_ || options.force_close) return connection->close();
  EventLoop& loop = connection->loop();
  hosts_[key].idle.push_back(std::move(connection));
  ++idle_;
  schedule_sweep(loop);
}

void Pool::make_room() {
  if (options.limit == 0 || idle_ == 0 || acquired_ + idle_ <= options.limit) return;
  auto oldest = hosts_.end();
  for (auto host = hosts_.begin(); host != hosts_.end(); ++host) {
    if (host->second.idle.empty()) continue;
    if (oldest == hosts_.end() ||
        host->second.idle.front()->idle_since() < oldest->second.idle.front()->idle_since()) {
      oldest = host;
    }
  }
  oldest->second.idle.front()->close();
  oldest->second.idle.pop_front();
  --idle_;
  forget_if_empty(std::string(oldest->first));
}

void Pool::schedule_sweep(EventLoop& loop) {
  if (sweeping_) return;
  sweeping_ = true;
  sweeper_ = loop.call_later(options.keepalive_timeout, [this, &loop] {
    sweeping_ = false;
    sweep(loop.time());
    if (idle_ > 0) schedule_sweep(loop);
  });
}

void Pool::sweep(TimePoint now) {
  std::vector<std::string> keys;
  for (auto& [key, host] : hosts_) {
    std::erase_if(host.idle, [&](const std::shared_ptr<Http1Connection>& connection) {
      const bool stale =
          !connection->is_usable() || now - connection->idle_since() >= options.keepalive_timeout;
      if (stale) {
        connection->close();
        --idle_;
      }
      return stale;
    });
    keys.push_back(key);
  }
  for (const std::string& key : keys) forget_if_empty(key);
}

void Pool::close() {
  if (std::exchange(closed_, true)) return;
  sweeper_.cancel();
  const auto error = std::make_exception_ptr(RuntimeError("Connector is closed."));
  for (auto& [key, host] : hosts_) {
    for (const auto& connection : host.idle) connection->close();
    for (const auto& waiter : host.waiters) {
      if (!waiter->future.done()) waiter->future.set_exception(error);
    }
  }
  hosts_.clear();
  idle_ = 0;
  waiting_ = 0;
  acquired_ = 0;
  for (Http1Connection* connection : std::exchange(active_, {})) connection->abort(error);
}

}  // namespace brio::http::detail
