#include <brio/http/detail/server_connection.hpp>

#include <brio/core/exceptions.hpp>
#include <brio/core/outcome.hpp>
#include <brio/net/address.hpp>

#include <algorithm>
#include <utility>

namespace brio::http::detail {
ServerConnection::ServerConnection(std::shared_ptr<ServerCore> core)
    : core_(std::move(core)), parser_(core_->options().limits), request_(*this) {}

ServerConnection::~ServerConnection() = default;

// ---- what the transport tells

void ServerConnection::connection_made(std::shared_ptr<Transport> transport) {
  transport_ = std::move(transport);
  secure_ = transport_->get_extra_info("sslcontext").has_value();
  const bool welcome = core_->add(*this);
  since_ = core_->now();
  if (!welcome) refuse(503, "too many connections");
}

void ServerConnection::data_received(std::string_view data) {
  if (state_ == State::closing || state_ == State::lost) return;
  if (input_.empty()) {
    kept_.clear();  // an earlier read's, all of it parsed
    input_ = data;
  } else {
    kept_.erase(0, static_cast<std::size_t>(input_.data() - kept_.data()));
    kept_ += data;
    input_ = kept_;
  }
  // The answers of this read are gathered in a buffer that all connections share.
  receiving_ = true;
  std::swap(out_, core_->scratch);
  if (state_ == State::answering) {
    take_body();
    wake(reader_);
  } else if (advance()) {
    task_ = create_task(answer(shared_from_this()), {.eager_start = true});
    if (task_.done()) task_ = {};
  }
  receiving_ = false;
  flush();
  std::swap(out_, core_->scratch);
  keep_input();
  update_reading();
}

// What was not parsed is lent by the transport until data_received returns.
void ServerConnection::keep_input() {
  if (input_.empty() || state_ == State::closing || state_ == State::upgraded) {
    input_ = {};
    if (!kept_.empty()) kept_ = {};
  } else if (kept_.empty()) {
    kept_.assign(input_);
    input_ = kept_;
  }
}

bool ServerConnection::eof_received() {
  eof_ = true;
  if (state_ != State::answering) return false;
  if (!parser_.is_complete() && !body_error_) {
    body_error_ = make_oserror(ECONNRESET, "reading the request's body from " + remote());
  }
  wake(reader_);
  if (core_->options().handler_cancellation && task_ && !task_.done()) task_.cancel();
  return true;  // the answer may still arrive
}

void ServerConnection::connection_lost(std::exception_ptr) {
  lost_ = true;
  if (state_ != State::upgraded) state_ = State::lost;
  core_->remove(*this);
  wake(reader_);
  wake(writer_);
  if (core_->options().handler_cancellation && task_ && !task_.done()) task_.cancel();
}

void ServerConnection::resume_writing() {
  writing_paused_ = false;
  wake(writer_);
}

// ---- parsing

bool ServerConnection::advance() {
  try {
    const bool began = parser_.got_some();
    const auto step = parser_.feed(input_);
    input_.remove_prefix(step.consumed);
    if (step.event == RequestParser::Event::need_more) {
      if (!began) since_ = core_->now();
      return false;
    }
  } catch (const HttpProcessingError& error) {
    refuse(error.code(), error.what());
    return false;
  }
  state_ = State::answering;
  reply_ = Reply::none;
  ++exchange_;
  continue_due_ = parser_.expects_continue();
  since_ = core_->now();
  take_body();
  return true;
}

void ServerConnection::take_body() {
  if (body_error_) {
    input_ = {};
    return;
  }
  try {
    while (!parser_.is_complete()) {
      const auto step = parser_.feed(input_);
      input_.remove_prefix(step.consumed);
      if (step.event != RequestParser::Event::body) break;
      continue_due_ = false;  // it did not wait
      body_ += step.body;
      body_came_ += step.body.size();
    }
  } catch (const HttpProcessingError& error) {
    body_error_ = std::make_exception_ptr(HTTPException(error.code(), error.what()));
    input_ = {};
  }
}

void ServerConnection::refuse(int status, std::string_view why) {
  ++core_->stats().bad;
  Response response(std::to_string(status) + ": " + std::string(why) + "\n", {.status = status});
  keep_ = false;
  body_wanted_ = true;
  input_ = {};
  write_head(response, response.body().size());
  out_ += response.body();
  close_gracefully();
}

// ---- the body

Coro<std::string> ServerConnection::read_body(std::shared_ptr<ServerConnection> self,
                                              std::size_t max) {
  if (max == 0) co_return std::string();
  while (true) {
    if (self->body_taken_ < self->body_.size()) co_return self->take_of_body(max);
    if (self->body_error_) std::rethrow_exception(self->body_error_);
    if (self->parser_.is_complete()) co_return std::string();
    if (self->lost_) throw_oserror(ECONNRESET, "reading the request's body");
    if (std::exchange(self->continue_due_, false) && self->reply_ == Reply::none) {
      self->out_ += "HTTP/1.1 100 Continue\r\n\r\n";
      self->flush();
    }
    co_await self->wait_for_body();
  }
}

std::string ServerConnection::take_of_body(std::size_t max) {
  std::string part;
  if (body_taken_ == 0 && body_.size() <= max) {
    part = std::exchange(body_, {});
  } else {
    part = body_.substr(body_taken_, max);
    body_taken_ += part.size();
    if (body_taken_ == body_.size()) {
      body_.clear();
      body_taken_ = 0;
    }
  }
  if (!receiving_) update_reading();
  return part;
}

Coro<> ServerConnection::wait_for_body() {
  body_wait_began_ = core_->now();
  waiting_for_body_ = true;
  const auto outcome = co_await as_outcome(wait(reader_));
  waiting_for_body_ = false;
  body_waited_ += core_->now() - body_wait_began_;
  outcome.raise();
}

// ---- the connection's life

void ServerConnection::look_at_time(TimePoint now, Duration period) {
  const auto passed = [&](TimePoint since, Duration limit) {
    return limit > Duration::zero() && now - since >= limit + period;
  };
  const ServerOptions& options = core_->options();
  const std::size_t unsent = transport_->get_write_buffer_size();
  if (unsent != write_size_ || unsent == 0) {
    write_size_ = unsent;
    write_since_ = now;
  } else if (passed(write_since_, options.write_timeout)) {
    return cut_off(true);
  }
  switch (state_) {
    case State::idle:
      if (parser_.got_some()) {
        if (passed(since_, options.header_timeout)) refuse(408, "request took too long");
      } else if (passed(since_,
                        exchange_ == 0 ? options.header_timeout : options.keepalive_timeout) ||
                 (core_->stopping() && passed(since_, first_request_grace))) {
        transport_->close();
      }
      break;
    case State::answering:
      if (waiting_for_body_ && options.min_body_rate > 0 && !body_error_) {
        const Duration waited = body_waited_ + (now - body_wait_began_);
        const auto seconds = std::chrono::duration<double>(waited - options.body_grace).count();
        if (waited >= options.body_grace + period &&
            static_cast<double>(body_came_) <
                seconds * static_cast<double>(options.min_body_rate)) {
          body_error_ = std::make_exception_ptr(HTTPException(408, "the body comes too slowly"));
          wake(reader_);
        }
      }
      break;
    case State::closing:
      if (passed(since_, options.lingering_timeout)) transport_->abort();
      break;
    case State::upgraded:
    case State::lost: break;
  }
}

void ServerConnection::stop() {
  // One whose request is on its way is served yet: its client could not tell a lost request from
  // one that had effects.
  if (state_ == State::idle && exchange_ > 0 && !parser_.got_some()) transport_->close();
  if (state_ == State::upgraded && stop_upgraded_) stop_upgraded_();
}

void ServerConnection::cut_off(bool cancel_handler) {
  if (!lost_) transport_->abort();
  if (cancel_handler && task_ && !task_.done()) task_.cancel();
}

void ServerConnection::close_gracefully() {
  const bool more_may_come = !parser_.is_complete() || !input_.empty();
  state_ = State::closing;
  since_ = core_->now();
  flush();
  if (more_may_come && !eof_ && transport_->can_write_eof()) {
    transport_->write_eof();
    update_reading();
  } else {
    transport_->close();
  }
}

void ServerConnection::flush() {
  if (out_.empty()) return;
  if (!lost_) transport_->write(std::string_view(out_));
  if (receiving_ || out_.capacity() <= high_water) {
    out_.clear();
  } else {
    out_ = {};
  }
}

void ServerConnection::update_reading() {
  if (lost_ || state_ == State::upgraded || transport_->is_closing()) return;
  const bool full = state_ == State::answering &&
                    (body_.size() - body_taken_ > high_water || input_.size() > high_water);
  if (full == reading_paused_) return;
  reading_paused_ = full;
  if (full) {
    transport_->pause_reading();
  } else {
    transport_->resume_reading();
  }
}

Coro<> ServerConnection::wait(Future<>& waiter) {
  if (waiter && !waiter.done()) {
    throw RuntimeError("another coroutine is already waiting for this connection");
  }
  const Future<> mine = transport_->get_loop().create_future<>();
  waiter = mine;
  co_await mine;
}

void ServerConnection::wake(const Future<>& waiter) {
  if (waiter && !waiter.done()) waiter.set_result();
}

void ServerConnection::check_alive() const {
  if (lost_ || transport_->is_closing()) throw_oserror(ECONNRESET, "writing to " + remote());
}

const std::string& ServerConnection::remote() const {
  if (!remote_) {
    const auto peer = transport_->get_extra_info<net::SocketAddress>("peername");
    const bool ip = peer && (peer->family() == AF_INET || peer->family() == AF_INET6);
    remote_ = ip ? peer->host() : std::string();
  }
  return *remote_;
}

}  // namespace brio::http::detail
