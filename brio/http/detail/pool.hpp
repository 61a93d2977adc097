// The places of a connector and the connections that it keeps: counting and queueing, no I/O.
#pragma once

#include <brio/core/future.hpp>
#include <brio/core/handle.hpp>
#include <brio/http/connector.hpp>
#include <brio/http/detail/http1.hpp>

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <set>
#include <string>

namespace brio::http::detail {

/// Places are counted for each key (scheme, host, port, TLS settings) and in all. A place that
/// becomes free goes straight to the first waiter that may have it, so nobody can take it away.
class Pool : public std::enable_shared_from_this<Pool> {
public:
  explicit Pool(TCPConnectorOptions wanted) : options(std::move(wanted)) {}
  ~Pool();

  TCPConnectorOptions options;

  /// Waits for a place. Cancellation gives it on. Throws RuntimeError once closed.
  Coro<> acquire(std::string key);
  /// Gives a place back.
  void release(const std::string& key);

  /// An idle connection for `key` that can be used, or null.
  std::shared_ptr<Http1Connection> take_idle(const std::string& key);
  /// Keeps a connection for later, or closes it.
  void put_idle(const std::string& key, std::shared_ptr<Http1Connection> connection);
  /// Closes the longest idle connection if all are as many as the limit.
  void make_room();

  void add_active(Http1Connection* connection) { active_.insert(connection); }
  void remove_active(Http1Connection* connection) { active_.erase(connection); }

  /// Closes every connection and refuses every waiter.
  void close();
  [[nodiscard]] bool closed() const noexcept { return closed_; }
  [[nodiscard]] std::size_t acquired() const noexcept { return acquired_; }
  [[nodiscard]] std::size_t idle() const noexcept { return idle_; }
  [[nodiscard]] std::size_t waiting() const noexcept { return waiting_; }

private:
  struct Waiter {
    std::uint64_t number;
    Future<> future;
    bool granted = false;
  };
  struct Host {
    std::size_t acquired = 0;
    std::deque<std::shared_ptr<Http1Connection>> idle = {};  // the latest at the back
    std::deque<std::shared_ptr<Waiter>> waiters = {};
  };

  [[nodiscard]] bool has_place() const noexcept {
    return options.limit == 0 || acquired_ < options.limit;
  }
  [[nodiscard]] bool has_place(const Host& host) const noexcept {
    return options.limit_per_host == 0 || host.acquired < options.limit_per_host;
  }
  void take(Host& host) noexcept {
    ++host.acquired;
    ++acquired_;
  }
  void grant();
  void forget_if_empty(const std::string& key);
  void schedule_sweep(EventLoop& loop);
  void sweep(TimePoint now);

  std::map<std::string, Host> hosts_;
  std::set<Http1Connection*> active_;
  std::size_t acquired_ = 0;
  std::size_t idle_ = 0;
  std::size_t waiting_ = 0;
  std::uint64_t next_number_ = 0;
  TimerHandle sweeper_;
  bool sweeping_ = false;
  bool closed_ = false;
};

}  // namespace brio::http::detail
