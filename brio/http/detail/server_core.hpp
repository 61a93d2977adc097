// What the connections of one HTTP server share.
#pragma once

#include <brio/core/future.hpp>
#include <brio/core/handle.hpp>
#include <brio/core/loop.hpp>
#include <brio/http/server.hpp>

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace brio::http::detail {

class ServerConnection;

/// Handler, options and open connections of a server, and its clock.
///
/// The clock is one timer for all connections, which runs while there is one: it renews the Date
/// field and has each connection look at its time limits. So a request costs no timer of its own.
class ServerCore : public std::enable_shared_from_this<ServerCore> {
public:
  ServerCore(Handler handler, ServerOptions options);
  ServerCore(const ServerCore&) = delete;
  ServerCore& operator=(const ServerCore&) = delete;
  ~ServerCore();

  [[nodiscard]] const Handler& handler() const noexcept { return handler_; }
  [[nodiscard]] const ServerOptions& options() const noexcept { return options_; }
  [[nodiscard]] ServerStats& stats() noexcept { return stats_; }

  /// A connection begins; false where it is one too many.
  [[nodiscard]] bool add(ServerConnection& connection);
  /// It ends.
  void remove(ServerConnection& connection) noexcept;

  /// When the clock last struck: the time for all that is no finer than a second.
  [[nodiscard]] TimePoint now() const noexcept { return now_; }
  /// "Date: …\r\nServer: …\r\n".
  [[nodiscard]] std::string_view standing_fields() const noexcept { return standing_fields_; }
  /// True from shutdown on: answers close their connections.
  [[nodiscard]] bool stopping() const noexcept { return stopping_; }

  /// Stops to listen and has idle connections closed.
  void begin_shutdown();
  /// Waits until no connection is left.
  static Coro<> wait_empty(std::shared_ptr<ServerCore> self);
  /// Cancels handlers and cuts connections off.
  void abort_all();

  std::vector<std::shared_ptr<brio::Server>> listeners;
  /// The answers of the read that is being handled; empty in between.
  std::string scratch;
  /// Done when shutdown begins; what serve_forever awaits.
  Future<> stopped;

private:
  void wind();
  void strike();
  void renew_fields();
  [[nodiscard]] std::vector<std::shared_ptr<ServerConnection>> all() const;

  Handler handler_;
  ServerOptions options_;
  ServerStats stats_;
  Duration period_;
  TimerHandle clock_;
  TimePoint now_{};
  std::string standing_fields_;
  std::vector<ServerConnection*> connections_;                // each knows its place
  std::unordered_map<std::string, std::size_t> per_address_;  // where that is limited
  std::vector<Future<>> waiters_;
  bool stopping_ = false;
};

}  // namespace brio::http::detail
