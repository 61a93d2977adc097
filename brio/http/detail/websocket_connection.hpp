// One WebSocket, of a client or a server: a Protocol that reads messages into a queue.
#pragma once

#include <brio/core/coro.hpp>
#include <brio/core/future.hpp>
#include <brio/core/handle.hpp>
#include <brio/core/time.hpp>
#include <brio/http/websocket_frames.hpp>
#include <brio/net/protocol.hpp>
#include <brio/net/transport.hpp>

#include <cstddef>
#include <deque>
#include <exception>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace brio::http::detail {

/// How a WebSocket behaves, once it is agreed on.
struct WebSocketSettings {
  bool client = false;
  WSLimits limits = {};
  std::optional<WSDeflateParams> deflate = std::nullopt;
  int level = 6;
  int mem_level = 5;
  std::size_t min_size = 0;  // of what is compressed
  Duration close_timeout = std::chrono::seconds(10);
  std::optional<Duration> receive_timeout = std::nullopt;
  std::optional<Duration> heartbeat = std::nullopt;
  bool autoping = true;
  bool autoclose = true;
  std::string protocol = {};
};

/// The connection.
///
/// What ends the messages (the peer's close frame, or a fault of its) waits in the queue behind
/// them, so that each can be answered before we close: only when receive() comes to it, or after
/// the close timeout, is the answer sent. Pings are answered at once.
///
///     open ── our close frame ──> closing ── the peer's, or the timeout ──┐
///       └──── the peer's, or a fault ──> ending ── our close frame ───────┴──> closed
///
/// Closed, the transport lingers: a server ends its side and drops what still comes until the
/// client hangs up, a client waits for the server to do so (RFC 6455 §7.1.1); both with the close
/// timeout. The connection's loss closes from everywhere, with 1006 where no close frame had come.
class WebSocketConnection final : public Protocol,
                                  public std::enable_shared_from_this<WebSocketConnection> {
public:
  /// Bytes of messages that wait in the queue before reading is paused.
  static constexpr std::size_t high_water = 64 * 1024;
  /// What a queued message costs beside its bytes.
  static constexpr std::size_t overhead = sizeof(WSMessage) + 32;

  explicit WebSocketConnection(WebSocketSettings settings);

  // Protocol
  void connection_made(std::shared_ptr<Transport> transport) override;
  void data_received(std::string_view data) override;
  bool eof_received() override;
  void connection_lost(std::exception_ptr error) override;
  void pause_writing() override { writing_paused_ = true; }
  void resume_writing() override;

  // See WebSocket.
  static Coro<WSMessage> receive(std::shared_ptr<WebSocketConnection> self,
                                 std::optional<Duration> timeout);
  static Coro<> send(std::shared_ptr<WebSocketConnection> self, WSMsgType type,
                     std::string_view data, std::optional<bool> compress);
  static Coro<bool> close(std::shared_ptr<WebSocketConnection> self, int code, std::string reason);

  /// Closes without a wait; harmless when repeated.
  void begin_close(int code, std::string_view reason);
  /// Keeps `what` until the connection is lost.
  void hold(std::shared_ptr<void> what) { held_ = std::move(what); }

  [[nodiscard]] bool closed() const noexcept { return closed_; }
  [[nodiscard]] bool closing() const noexcept { return closed_ || close_sent_; }
  [[nodiscard]] std::optional<int> close_code() const noexcept { return close_code_; }
  [[nodiscard]] const std::string& close_reason() const noexcept { return close_reason_; }
  [[nodiscard]] const std::exception_ptr& exception() const noexcept { return error_; }
  [[nodiscard]] const WebSocketSettings& settings() const noexcept { return settings_; }
  [[nodiscard]] const std::shared_ptr<Transport>& transport() const noexcept { return transport_; }

private:
  void parse(std::string_view data);
  void parse_more();
  void take(WSMessage message);
  void enqueue(WSMessage message);
  void enqueue_end(WSMessage message);
  [[nodiscard]] WSMessage dequeue();
  void answer_end(const WSMessage& message);
  [[nodiscard]] bool answer_queued_end();
  [[nodiscard]] bool full() const noexcept { return queued_ > high_water && !close_sent_; }
  void pause_reading();
  void resume_reading();

  void write_close(int code, std::string_view reason);
  void write_pong(std::string_view payload);
  void finish(int code, std::string reason);
  void linger();
  void arm(Duration delay, void (WebSocketConnection::*then)());
  void close_timed_out();
  void hang_up();
  void beat();
  void heartbeat_failed();
  [[nodiscard]] TimePoint now() const;

  static Coro<> wait_for_message(std::shared_ptr<WebSocketConnection> self,
                                 std::optional<Duration> timeout);
  void wake_receiver();
  static void wake_all(std::vector<Future<>>& waiters);

  WebSocketSettings settings_;
  WebSocketReader reader_;
  WebSocketWriter writer_;
  std::shared_ptr<Transport> transport_;
  std::shared_ptr<void> held_;

  std::deque<WSMessage> queue_;
  std::size_t queued_ = 0;  // bytes
  std::string unparsed_;    // came when the queue was full
  Future<> receiver_;
  unsigned asked_after_end_ = 0;

  bool reading_paused_ = false;
  bool writing_paused_ = false;
  std::vector<Future<>> writers_;
  std::optional<std::string> pong_due_;  // the last one, while writing is paused

  bool ending_ = false;      // what ends the messages has come
  bool close_sent_ = false;  // our close frame
  bool closed_ = false;
  bool eof_ = false;
  bool lost_ = false;
  std::optional<int> close_code_;
  std::string close_reason_;
  std::exception_ptr error_;
  std::vector<Future<>> closers_;

  TimerHandle close_timer_;
  TimerHandle heartbeat_timer_;
  TimePoint heard_{};                   // when something last came
  std::optional<TimePoint> ping_sent_;  // since when an answer is waited for
};

}  // namespace brio::http::detail
