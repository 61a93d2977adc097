#include <brio/http/detail/http1.hpp>

#include <brio/core/loop.hpp>
#include <brio/http/serializer.hpp>

#include <algorithm>
#include <utility>

namespace brio::http::detail {

Exchange::~Exchange() = default;

void Exchange::upgrade(std::shared_ptr<Protocol>) {
  throw RuntimeError("this connection cannot be upgraded");
}

// ---- what the transport tells

void Http1Connection::connection_made(std::shared_ptr<Transport> transport) {
  transport_ = std::move(transport);
}

void Http1Connection::data_received(std::string_view data) {
  if (state_ == State::busy && !complete_) {
    parse(data);
  } else if (state_ == State::busy && parser_.upgraded()) {
    behind_ += data;
  } else if (state_ != State::closed) {
    // Nobody asked for this: it could only be taken for the answer to the next request.
    abort(nullptr);
  }
}

void Http1Connection::parse(std::string_view data) {
  try {
    while (!complete_) {
      const auto [event, consumed, body] = parser_.feed(data);
      data.remove_prefix(consumed);
      if (event == ResponseParser::Event::need_more) break;
      if (event == ResponseParser::Event::head) head_ready_ = true;
      if (event == ResponseParser::Event::body) body_ += body;
      if (event == ResponseParser::Event::complete) complete_ = true;
    }
  } catch (...) {
    return abort(std::current_exception());
  }
  if (complete_ && parser_.upgraded()) {
    // Nothing more is taken until somebody knows what to do with it.
    behind_.assign(data);
    reading_paused_ = true;
    transport_->pause_reading();
  } else if (complete_ && !data.empty()) {
    // What stands behind the end belongs to no request of ours, so the connection ends with it.
    close();
  }
  if (!complete_ && !reading_paused_ && body_.size() - taken_ > high_water) {
    reading_paused_ = true;
    transport_->pause_reading();
  }
  wake_reader();
}

bool Http1Connection::eof_received() {
  if (state_ == State::busy && !complete_) {
    try {
      parser_.feed_eof();
      complete_ = true;
      wake_reader();
    } catch (...) {
      fail(std::current_exception());
    }
  }
  return false;  // the transport closes
}

void Http1Connection::connection_lost(std::exception_ptr error) {
  if (state_ == State::busy && !complete_ && !error_) {
    if (!error) {
      error = std::make_exception_ptr(ServerDisconnectedError());
    } else {
      try {
        std::rethrow_exception(error);
      } catch (const OSError& e) {
        error = std::make_exception_ptr(ClientOSError(e.code(), e.what()));
      } catch (...) {
        error = std::current_exception();
      }
    }
    fail(error);
  }
  state_ = State::closed;
  transport_.reset();
  wake_writer();
}

void Http1Connection::upgrade(std::shared_ptr<Protocol> next) {
  if (state_ != State::busy || !complete_ || !parser_.upgraded() || !transport_ ||
      transport_->is_closing()) {
    throw RuntimeError("this connection cannot be upgraded");
  }
  state_ = State::upgraded;
  transport_->set_protocol(next);
  next->connection_made(transport_);
  if (std::exchange(reading_paused_, false)) transport_->resume_reading();
  if (!behind_.empty()) next->data_received(std::exchange(behind_, {}));
}

void Http1Connection::resume_writing() {
  writing_paused_ = false;
  wake_writer();
}

// ---- waiting

void Http1Connection::wake_reader() {
  if (reader_ && !reader_.done()) reader_.set_result();
}

void Http1Connection::wake_writer() {
  if (writer_ && !writer_.done()) writer_.set_result();
}

void Http1Connection::fail(std::exception_ptr error) {
  if (!error_) error_ = std::move(error);
  wake_reader();
  wake_writer();
}

Coro<> Http1Connection::wait(Future<>& waiter, Deadlines deadlines, bool reading) {
  if (waiter && !waiter.done()) {
    throw RuntimeError("another coroutine is already waiting for this connection");
  }
  EventLoop& loop = get_running_loop();
  const Future<> mine = loop.create_future<>();
  waiter = mine;
  std::optional<TimePoint> when = deadlines.total;
  bool total = true;
  if (reading && deadlines.sock_read) {
    const TimePoint silent = brio::detail::after(loop.time(), *deadlines.sock_read);
    if (!when || silent < *when) {
      when = silent;
      total = false;
    }
  }
  struct Timer {
    TimerHandle handle;
    ~Timer() { handle.cancel(); }
  } timer;
  if (when) {
    timer.handle = loop.call_at(*when, [this, total] {
      abort(total ? std::make_exception_ptr(TimeoutError("Total timeout of the request passed"))
                  : std::make_exception_ptr(
                        SocketTimeoutError("Timeout on reading data from socket")));
    });
  }
  co_await mine;
}

// ---- the connection's life

bool Http1Connection::is_usable() const noexcept {
  return state_ == State::idle && transport_ && !transport_->is_closing();
}

void Http1Connection::abort(std::exception_ptr error) {
  if (error) fail(std::move(error));
  state_ = State::closed;
  if (transport_) transport_->abort();
}

void Http1Connection::close() {
  state_ = State::closed;
  if (transport_) transport_->close();
}

void Http1Connection::begin() {
  state_ = State::busy;
  ++exchanges_;
  head_ready_ = false;
  complete_ = false;
  request_sent_ = false;
  body_.clear();
  taken_ = 0;
}

bool Http1Connection::end() {
  const bool reusable = state_ == State::busy && complete_ && request_sent_ && !error_ &&
                        parser_.keep_alive() && transport_ && !transport_->is_closing();
  if (!reusable) {
    // A response that is complete loses nothing by an orderly end; a cut one must not linger.
    if (complete_ && request_sent_) {
      close();
    } else {
      abort(nullptr);
    }
    return false;
  }
  if (std::exchange(reading_paused_, false)) transport_->resume_reading();
  state_ = State::idle;
  idle_since_ = transport_->get_loop().time();
  return true;
}

// ---- sending

void Http1Connection::send_head(const RequestHead& head, BodyKind body) {
  RequestHead framed = head;
  chunked_request_ = body.present && !body.length;
  request_left_ = body.present ? body.length : std::optional<std::uint64_t>(0);
  framed.headers.remove("Content-Length");
  framed.headers.remove("Transfer-Encoding");
  if (chunked_request_) {
    framed.headers.add("Transfer-Encoding", "chunked");
  } else if (body.present) {
    framed.headers.add("Content-Length", std::to_string(*body.length));
  }
  const TargetForm form = head.method == "CONNECT" ? TargetForm::authority : TargetForm::origin;
  std::string text = serialize_request(framed, form);
  parser_ = ResponseParser(
      {.method = head.method, .upgrade = head.headers.contains("Upgrade"), .limits = limits_});
  check_error();
  if (transport_) transport_->write(std::move(text));
}

void Http1Connection::send_body(std::string_view data) {
  if (data.empty() || !transport_ || error_) return;
  if (chunked_request_) {
    const std::string prefix = chunk_prefix(data.size());
    transport_->writelines({prefix, data, "\r\n"});
    return;
  }
  if (data.size() > *request_left_) throw ValueError("the request's body is longer than declared");
  *request_left_ -= data.size();
  transport_->write(data);
}

void Http1Connection::end_body() {
  if (request_left_.value_or(0) != 0) {
    throw ValueError("the request's body is shorter than declared");
  }
  if (transport_ && !error_ && chunked_request_) transport_->write(last_chunk);
  request_sent_ = true;
}

Coro<> Http1Connection::drain(Deadlines deadlines) {
  while (writing_paused_ && transport_ && !error_) co_await wait(writer_, deadlines, false);
  // A peer that has answered and closed wants no more of the body; its answer tells why.
  if (!transport_ && !complete_ && !error_) throw ServerDisconnectedError();
  check_error();
}

// ---- receiving

Coro<ResponseHead> Http1Connection::read_head(Deadlines deadlines) {
  while (!head_ready_) {
    check_error();
    co_await wait(reader_, deadlines, true);
  }
  head_ready_ = false;
  co_return std::move(parser_.head());
}

std::string Http1Connection::take_body(std::size_t max) {
  std::string part;
  if (taken_ == 0 && max >= body_.size()) {
    part = std::exchange(body_, {});
  } else {
    part = body_.substr(taken_, max);
    taken_ += part.size();
    if (taken_ == body_.size()) {
      body_.clear();
      taken_ = 0;
    }
  }
  if (reading_paused_ && body_.size() - taken_ <= high_water / 4) {
    reading_paused_ = false;
    if (transport_ && !transport_->is_closing()) transport_->resume_reading();
  }
  return part;
}

Coro<std::string> Http1Connection::read_body(std::size_t max, Deadlines deadlines) {
  while (taken_ == body_.size()) {
    if (complete_) co_return std::string();
    check_error();
    co_await wait(reader_, deadlines, true);
  }
  co_return take_body(max);
}

// ---- the exchange

Http1Exchange::Http1Exchange(std::shared_ptr<Http1Connection> connection, GiveBack give_back)
    : connection_(std::move(connection)), give_back_(std::move(give_back)) {
  connection_->begin();
}

Http1Exchange::~Http1Exchange() {
  const bool reusable = connection_->end();
  give_back_(reusable);
}

void Http1Exchange::send_head(const RequestHead& head, BodyKind body) {
  connection_->send_head(head, body);
}
void Http1Exchange::send_body(std::string_view data) { connection_->send_body(data); }
void Http1Exchange::end_body() { connection_->end_body(); }

// The connection is kept by the coroutine's own frame: the exchange may go while it is suspended.
namespace {

Coro<> drain_on(std::shared_ptr<Http1Connection> connection, Deadlines deadlines) {
  co_await connection->drain(deadlines);
}
Coro<ResponseHead> read_head_on(std::shared_ptr<Http1Connection> connection, Deadlines deadlines) {
  co_return co_await connection->read_head(deadlines);
}
Coro<std::string> read_body_on(std::shared_ptr<Http1Connection> connection, std::size_t max,
                               Deadlines deadlines) {
  co_return co_await connection->read_body(max, deadlines);
}

}  // namespace

BRIO_CORO_WRAPPER Coro<> Http1Exchange::drain() { return drain_on(connection_, deadlines_); }
BRIO_CORO_WRAPPER Coro<ResponseHead> Http1Exchange::read_head() {
  return read_head_on(connection_, deadlines_);
}
BRIO_CORO_WRAPPER Coro<std::string> Http1Exchange::read_body(std::size_t max) {
  return read_body_on(connection_, max, deadlines_);
}

}  // namespace brio::http::detail
