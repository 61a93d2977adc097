// One connection of an HTTP server: a Protocol that parses what comes, and the task that answers.
#pragma once

#include <brio/core/task.hpp>
#include <brio/http/detail/server_core.hpp>
#include <brio/http/request_parser.hpp>
#include <brio/net/transport.hpp>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace brio::http::detail {

/// A connection and the request that it is at.
///
/// Bytes come in by data_received and are parsed at once up to the next whole head, and as much of
/// its body as there is. Then a task answers, and goes on with the next request as long as one is
/// there; what it writes is gathered in out_ and leaves in one write. What comes meanwhile is the
/// body, which the handler takes out of body_, and behind it the next requests, which wait in
/// input_. Both are bounded: reading is paused.
///
///     idle ── head ──> answering ── response sent ──> idle | closing | upgraded
///
/// In `closing` what still comes is dropped until the client hangs up, so that it reads the answer
/// instead of a reset (RFC 9112 §9.6).
class ServerConnection final : public Protocol,
                               public std::enable_shared_from_this<ServerConnection> {
public:
  /// Body bytes that are kept before reading is paused; likewise bytes of further requests.
  static constexpr std::size_t high_water = 64 * 1024;
  /// What of an unread body is read and dropped to keep the connection.
  static constexpr std::uint64_t most_dropped = 64 * 1024;
  /// How long a connection without any request stays open when the server stops.
  static constexpr Duration first_request_grace = std::chrono::seconds(1);

  explicit ServerConnection(std::shared_ptr<ServerCore> core);
  ~ServerConnection() override;

  // Protocol
  void connection_made(std::shared_ptr<Transport> transport) override;
  void data_received(std::string_view data) override;
  bool eof_received() override;
  void connection_lost(std::exception_ptr error) override;
  void pause_writing() override { writing_paused_ = true; }
  void resume_writing() override;

  // For the server.
  std::size_t place = 0;  ///< in the core's list
  /// Ends what has taken too long.
  void look_at_time(TimePoint now, Duration period);
  /// The server stops: a connection that waits for a further request is closed, another one after
  /// its answer; where it has not asked yet, it has first_request_grace to do so.
  void stop();
  /// Ends at once, with the handler cancelled where asked.
  void cut_off(bool cancel_handler);

  // For Request.
  [[nodiscard]] RequestParser& parser() noexcept { return parser_; }
  [[nodiscard]] const RequestParser& parser() const noexcept { return parser_; }
  [[nodiscard]] const std::shared_ptr<Transport>& transport() const noexcept { return transport_; }
  [[nodiscard]] const ServerOptions& options() const noexcept { return core_->options(); }
  [[nodiscard]] bool lost() const noexcept { return lost_; }
  [[nodiscard]] bool client_ended() const noexcept { return lost_ || eof_; }
  [[nodiscard]] bool secure() const noexcept { return secure_; }
  [[nodiscard]] const std::string& remote() const;
  static Coro<std::string> read_body(std::shared_ptr<ServerConnection> self, std::size_t max);

  // For StreamResponse.
  [[nodiscard]] std::uint64_t exchange() const noexcept { return exchange_; }
  void begin_stream(Response& head, std::optional<std::uint64_t> length);
  void stream(std::string_view data);
  void end_stream(const Headers& trailers);
  [[nodiscard]] bool stream_ended() const noexcept { return reply_ == Reply::done; }
  static Coro<> drain(std::shared_ptr<ServerConnection> self);

  // For upgrades.
  /// Answers 101 with `fields` and hands the connection to `next`, which also gets what came behind
  /// the request; the handler's response is not sent. `stop` is called when the server begins to
  /// shut down while the handler runs. Throws RuntimeError where a response has begun.
  void upgrade(const Headers& fields, std::shared_ptr<Protocol> next,
               std::function<void()> stop = {});

private:
  enum class State : std::uint8_t { idle, answering, closing, upgraded, lost };
  // Of the answer to the present request.
  enum class Reply : std::uint8_t { none, streaming, done };

  [[nodiscard]] bool advance();
  void take_body();
  void keep_input();
  void refuse(int status, std::string_view why);
  static Coro<> answer(std::shared_ptr<ServerConnection> self);
  [[nodiscard]] std::optional<Response> response_for(const std::exception_ptr& error);
  void send(Response& response);
  [[nodiscard]] bool sending_failed(const std::exception_ptr& error);
  Coro<> send_file(Response& response);
  void begin_reply(Response& response, std::optional<std::uint64_t> length);
  void write_head(Response& response, std::optional<std::uint64_t> length);
  void leave_upgraded();
  void finish_exchange();
  void log_access() const;
  void begin_next();
  static Coro<bool> drop_rest_of_body(std::shared_ptr<ServerConnection> self);
  std::string take_of_body(std::size_t max);
  Coro<> wait_for_body();
  void flush();
  void close_gracefully();
  void update_reading();
  Coro<> wait(Future<>& waiter);
  static void wake(const Future<>& waiter);
  void check_alive() const;

  std::shared_ptr<ServerCore> core_;
  std::shared_ptr<Transport> transport_;
  std::function<void()> stop_upgraded_;
  State state_ = State::idle;
  Reply reply_ = Reply::none;
  bool secure_ = false;
  bool lost_ = false;
  bool keep_ = false;  // the connection, after this answer
  bool chunked_reply_ = false;
  bool body_wanted_ = false;   // of this answer: no HEAD, no 204, no 304
  bool continue_due_ = false;  // the client waits for 100
  bool receiving_ = false;     // inside data_received: out_ is flushed at its end
  bool reading_paused_ = false;
  bool writing_paused_ = false;
  bool eof_ = false;  // the client has ended its side
  bool waiting_for_body_ = false;

  RequestParser parser_;
  Request request_;
  std::string_view input_;  // what came and is not parsed: of the transport's buffer or kept_
  std::string kept_;
  std::string body_;  // of the request, not taken yet
  std::size_t body_taken_ = 0;
  std::exception_ptr body_error_;
  std::string out_;
  std::optional<std::uint64_t> reply_left_;  // of a declared length
  std::uint64_t reply_size_ = 0;
  int reply_status_ = 0;
  std::uint64_t exchange_ = 0;
  mutable std::optional<std::string> remote_;

  TimePoint since_;  // the present state, or waiting for the head
  TimePoint body_wait_began_;
  Duration body_waited_{};  // for the body, without the present wait
  std::uint64_t body_came_ = 0;
  TimePoint write_since_;       // the client last took something
  std::size_t write_size_ = 0;  // what was left to send then

  Future<> reader_;
  Future<> writer_;
  Task<> task_;
};

}  // namespace brio::http::detail
