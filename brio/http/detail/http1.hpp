// An HTTP/1.1 connection: a Protocol that parses what comes, and one exchange at a time on it.
#pragma once

#include <brio/core/future.hpp>
#include <brio/core/handle.hpp>
#include <brio/http/detail/exchange.hpp>
#include <brio/http/parser.hpp>
#include <brio/net/protocol.hpp>
#include <brio/net/transport.hpp>

#include <functional>
#include <memory>

namespace brio::http::detail {

/// The connection. Between two exchanges it is idle, and then whatever comes closes it.
class Http1Connection final : public Protocol,
                              public std::enable_shared_from_this<Http1Connection> {
public:
  /// Body bytes that are kept before reading is paused.
  static constexpr std::size_t high_water = 256 * 1024;

  explicit Http1Connection(ParserLimits limits) : limits_(limits) {}

  // Protocol
  void connection_made(std::shared_ptr<Transport> transport) override;
  void data_received(std::string_view data) override;
  bool eof_received() override;
  void connection_lost(std::exception_ptr error) override;
  void pause_writing() override { writing_paused_ = true; }
  void resume_writing() override;

  /// Whether an exchange may begin.
  [[nodiscard]] bool is_usable() const noexcept;
  /// The loop; only while it is usable.
  [[nodiscard]] EventLoop& loop() const { return transport_->get_loop(); }
  [[nodiscard]] TimePoint idle_since() const noexcept { return idle_since_; }
  /// Closes; what is waited for fails with `error`, which may be null for an idle connection.
  void abort(std::exception_ptr error);
  /// Closes an idle connection in the orderly way.
  void close();

  // One exchange; see Exchange.
  void begin();
  /// True where the connection may carry another one.
  [[nodiscard]] bool end();
  void send_head(const RequestHead& head, BodyKind body);
  void send_body(std::string_view data);
  void end_body();
  Coro<> drain(Deadlines deadlines);
  Coro<ResponseHead> read_head(Deadlines deadlines);
  Coro<std::string> read_body(std::size_t max, Deadlines deadlines);
  void upgrade(std::shared_ptr<Protocol> next);
  // What follows an upgrade is not HTTP, but it is not read to its end either.
  [[nodiscard]] bool finished() const noexcept {
    return complete_ && taken_ == body_.size() && !parser_.upgraded();
  }
  [[nodiscard]] std::optional<std::uint64_t> content_length() const noexcept {
    return parser_.content_length();
  }
  [[nodiscard]] const Headers& trailers() noexcept { return parser_.trailers(); }
  [[nodiscard]] bool failed_stale() const noexcept {
    return exchanges_ > 1 && error_ && !parser_.got_some();
  }

private:
  enum class State { idle, busy, upgraded, closed };

  void parse(std::string_view data);
  void fail(std::exception_ptr error);
  void wake_reader();
  void wake_writer();
  Coro<> wait(Future<>& waiter, Deadlines deadlines, bool reading);
  void check_error() const {
    if (error_) std::rethrow_exception(error_);
  }
  std::string take_body(std::size_t max);

  ParserLimits limits_;
  std::shared_ptr<Transport> transport_;
  State state_ = State::idle;
  std::exception_ptr error_;
  TimePoint idle_since_{};
  unsigned exchanges_ = 0;

  ResponseParser parser_;
  bool head_ready_ = false;
  bool complete_ = false;
  std::string body_;
  std::size_t taken_ = 0;  // of body_
  std::string behind_;     // what came behind a head that ends HTTP
  bool reading_paused_ = false;
  Future<> reader_;

  bool request_sent_ = false;
  bool chunked_request_ = false;
  std::optional<std::uint64_t> request_left_;  // of a body with a known length
  bool writing_paused_ = false;
  Future<> writer_;
};

/// The exchange over it. `give_back` is called once, with whether the connection may be used again.
class Http1Exchange final : public Exchange {
public:
  using GiveBack = std::function<void(bool reusable)>;

  Http1Exchange(std::shared_ptr<Http1Connection> connection, GiveBack give_back);
  ~Http1Exchange() override;

  void send_head(const RequestHead& head, BodyKind body) override;
  void send_body(std::string_view data) override;
  void end_body() override;
  Coro<> drain() override;
  Coro<ResponseHead> read_head() override;
  Coro<std::string> read_body(std::size_t max) override;
  void upgrade(std::shared_ptr<Protocol> next) override { connection_->upgrade(std::move(next)); }
  [[nodiscard]] bool finished() const noexcept override { return connection_->finished(); }
  [[nodiscard]] std::optional<std::uint64_t> content_length() const noexcept override {
    return connection_->content_length();
  }
  [[nodiscard]] const Headers& trailers() const noexcept override {
    return connection_->trailers();
  }
  void abort(std::exception_ptr error) override { connection_->abort(std::move(error)); }
  [[nodiscard]] bool failed_stale() const noexcept override { return connection_->failed_stale(); }

private:
  std::shared_ptr<Http1Connection> connection_;
  GiveBack give_back_;
};

}  // namespace brio::http::detail
