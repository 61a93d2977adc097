// How a connection answers: the task, the head, bodies in memory, in files and in pieces.
#include <brio/core/exceptions.hpp>
#include <brio/core/logging.hpp>
#include <brio/core/outcome.hpp>
#include <brio/http/detail/file_body.hpp>
#include <brio/http/detail/server_connection.hpp>
#include <brio/http/serializer.hpp>
#include <brio/net/sendfile.hpp>

#include <array>
#include <charconv>
#include <cstring>
#include <utility>

namespace brio::http::detail {
namespace {

// From this size on a body is not copied behind its head but sent from where it lies.
constexpr std::size_t large_body = 16 * 1024;

// Gathers the small pieces of a head and appends them together: each append to a string costs more
// than the copying.
class HeadWriter {
public:
  explicit HeadWriter(std::string& out) noexcept : out_(out) {}
  HeadWriter(const HeadWriter&) = delete;
  HeadWriter& operator=(const HeadWriter&) = delete;
  ~HeadWriter() = default;

  HeadWriter& operator<<(std::string_view text) {
    if (text.size() > room_.size() - size_) [[unlikely]] {
      finish();
      if (text.size() > room_.size()) {
        out_.append(text);
        return *this;
      }
    }
    std::memcpy(room_.data() + size_, text.data(), text.size());
    size_ += text.size();
    return *this;
  }
  HeadWriter& operator<<(std::uint64_t number) {
    std::array<char, 20> digits;
    const char* const end = std::to_chars(digits.data(), digits.data() + digits.size(), number).ptr;
    return *this << std::string_view(digits.data(), static_cast<std::size_t>(end - digits.data()));
  }
  void field(std::string_view name, std::string_view value) {
    *this << name << ": " << value << "\r\n";
  }
  /// To be called at the end.
  void finish() {
    out_.append(room_.data(), size_);
    size_ = 0;
  }

private:
  std::string& out_;
  std::size_t size_ = 0;
  std::array<char, 512> room_;
};

void append_field(std::string& out, std::string_view name, std::string_view value) {
  out.append(name).append(": ").append(value).append("\r\n");
}

bool has_no_body(int status) noexcept { return status < 200 || status == 204 || status == 304; }

}  // namespace

Coro<> ServerConnection::answer(std::shared_ptr<ServerConnection> self) {
  // However it ends: an error of the access log or want of memory leaves no answer half sent, and
  // the loss of an upgraded transport is told to another protocol.
  struct Leave {
    ServerConnection& connection;
    bool regular = false;
    ~Leave() {
      if (!regular) connection.cut_off(false);
      connection.leave_upgraded();
    }
  } leave{*self};
  do {
    std::optional<Response> response;
    std::exception_ptr error;
    try {
      response = co_await self->core_->handler()(self->request_);
    } catch (...) {
      error = std::current_exception();
    }
    if (error) response = self->response_for(error);
    if (self->state_ == State::upgraded) self->log_access();
    if (!response) break;
    if (response->file_) {
      const auto sent = co_await as_outcome(self->send_file(*response));
      if (!sent && !self->sending_failed(sent.error())) break;
    } else {
      self->send(*response);
    }
    if (self->writing_paused_) co_await drain(self);
    self->finish_exchange();
    if (self->state_ != State::answering) break;
    if (!self->parser_.is_complete()) {
      const bool dropped = co_await drop_rest_of_body(self);
      if (!dropped) break;
    }
    self->begin_next();
    if (!self->receiving_) self->flush();
  } while (self->state_ == State::idle && !self->input_.empty() && self->advance());
  leave.regular = true;
  self->task_ = {};
  if (self->receiving_) co_return;
  self->flush();
  self->keep_input();
  self->update_reading();
}

// Nothing where no answer can be sent any more.
std::optional<Response> ServerConnection::response_for(const std::exception_ptr& error) {
  std::optional<Response> response;
  try {
    std::rethrow_exception(error);
  } catch (const HTTPException& refusal) {
    response = refusal.response();
  } catch (const CancelledError&) {
    // Somebody ended this request; its client learns it from the connection's end.
    cut_off(false);
    throw;
  } catch (const std::exception&) {
    if (!lost_) {
      log(LogLevel::error, "brio.http",
          "Error handling request " + std::string(request_.method()) + " " +
              std::string(request_.target()) + " from " + remote() + ": " + type_name(error) +
              ": " + describe(error));
    }
    response.emplace("500: Internal Server Error", ResponseOptions{.status = 500});
  }
  if (lost_ || state_ == State::upgraded) return std::nullopt;
  if (reply_ != Reply::none) {
    // A part of another answer is on its way: only its cut can tell that it is none.
    if (reply_ == Reply::streaming) cut_off(false);
    return std::nullopt;
  }
  if (!parser_.is_complete()) response->force_close();
  return response;
}

void ServerConnection::send(Response& response) {
  if (lost_ || state_ == State::upgraded) return;
  if (response.sent_) {
    if (reply_ == Reply::streaming) end_stream({});
    return;
  }
  if (reply_ != Reply::none) {
    log(LogLevel::error, "brio.http",
        "the handler sent a response and returned another one: " + std::string(request_.target()));
    if (reply_ == Reply::streaming) cut_off(false);
    return;
  }
  const std::string& body = response.body_;
  begin_reply(response, body.size());
  if (body_wanted_) {
    reply_size_ = body.size();
    if (body.size() < large_body) {
      out_ += body;
    } else {
      transport_->writelines({out_, body});
      out_.clear();
    }
  }
  reply_ = Reply::done;
  // The client sees the first answers while the rest are made, and its slowness is noticed.
  if (out_.size() > high_water) flush();
}

// What went wrong in the middle of a body: the client learns it from the connection's end. True
// where the caller may go on as if it had ended.
bool ServerConnection::sending_failed(const std::exception_ptr& error) {
  cut_off(false);
  if (brio::detail::classify(error) != brio::detail::ErrorKind::ordinary)
    std::rethrow_exception(error);
  if (!lost_) {
    log(LogLevel::warning, "brio.http",
        "Error sending the response to " + std::string(request_.target()) + ": " + describe(error));
  }
  return false;
}

Coro<> ServerConnection::send_file(Response& response) {
  if (lost_ || state_ == State::upgraded || reply_ != Reply::none) co_return;
  const FileBody& file = *response.file_;
  begin_reply(response, file.length);
  reply_ = Reply::streaming;
  if (body_wanted_ && file.length > 0) {
    const std::shared_ptr<ServerConnection> self = shared_from_this();
    flush();
    const std::uint64_t sent = co_await sendfile(transport_, file.descriptor.fileno(),
                                                 {.offset = file.offset, .count = file.length});
    reply_size_ = sent;
    // The file has shrunk since its size was told.
    if (sent < file.length) cut_off(false);
  }
  reply_ = Reply::done;
}

void ServerConnection::begin_reply(Response& response, std::optional<std::uint64_t> length) {
  const bool room = core_->options().max_requests_per_connection == 0 ||
                    exchange_ < core_->options().max_requests_per_connection;
  // A client that waits for leave to send its body may send it or not: what comes next is unsure.
  keep_ = parser_.keep_alive() && room && !response.close_ && !core_->stopping() && !eof_ &&
          !body_error_ && !continue_due_ &&
          (parser_.is_complete() || parser_.content_length().value_or(0) <= most_dropped);
  body_wanted_ = request_.method() != "HEAD" && !has_no_body(response.status_);
  write_head(response, length);
}

void ServerConnection::write_head(Response& response, std::optional<std::uint64_t> length) {
  reply_status_ = response.status_;
  reply_size_ = 0;
  HeadWriter out(out_);
  if (response.status_ == 200 && !response.reason_) {
    out << "HTTP/1.1 200 OK\r\n";
  } else {
    out << "HTTP/1.1 " << static_cast<std::uint64_t>(response.status_) << " " << response.reason()
        << "\r\n";
  }
  if (const auto type = response.content_type(); !type.empty()) out.field("Content-Type", type);
  if (length && !has_no_body(response.status_)) out << "Content-Length: " << *length << "\r\n";
  bool dated = false;
  for (const Header field : response.headers_) {
    // Framing is the connection's business alone.
    if (iequals(field.name, "Content-Length") || iequals(field.name, "Transfer-Encoding") ||
        iequals(field.name, "Connection")) {
      continue;
    }
    dated = dated || iequals(field.name, "Date");
    out.field(field.name, field.value);
  }
  if (!dated) out << core_->standing_fields();
  const bool http10 = parser_.head().version.minor == 0;
  if (!keep_) {
    out << "Connection: close\r\n";
  } else if (http10) {
    out << "Connection: keep-alive\r\n";
  }
  if (chunked_reply_) out << "Transfer-Encoding: chunked\r\n";
  out << "\r\n";
  out.finish();
}

void ServerConnection::finish_exchange() {
  if (state_ != State::answering) return;
  if (reply_ == Reply::streaming) end_stream({});
  ++core_->stats().requests;
  log_access();
  if (!keep_ || core_->stopping()) close_gracefully();
}

void ServerConnection::log_access() const {
  if (!core_->options().access_log) return;
  core_->options().access_log(
      {request_, reply_status_, reply_size_, transport_->get_loop().time() - since_});
}

void ServerConnection::begin_next() {
  parser_.next();
  request_.reset();
  if (!body_.empty()) body_ = {};
  body_taken_ = 0;
  body_came_ = 0;
  body_waited_ = {};
  chunked_reply_ = false;
  state_ = State::idle;
  since_ = core_->now();
}

// True where the connection can go on.
Coro<bool> ServerConnection::drop_rest_of_body(std::shared_ptr<ServerConnection> self) {
  std::uint64_t dropped = 0;
  self->flush();
  while (true) {
    dropped += self->body_.size() - self->body_taken_;
    self->body_.clear();
    self->body_taken_ = 0;
    if (self->lost_ || self->state_ != State::answering) co_return false;
    if (self->parser_.is_complete()) co_return true;
    if (self->body_error_ || self->eof_ || dropped > most_dropped) break;
    self->update_reading();
    co_await self->wait_for_body();
  }
  self->close_gracefully();
  co_return false;
}

// ---- answers in pieces

void ServerConnection::begin_stream(Response& head, std::optional<std::uint64_t> length) {
  if (state_ != State::answering || reply_ != Reply::none) {
    throw RuntimeError("a response to this request has begun already");
  }
  const bool http10 = parser_.head().version.minor == 0;
  chunked_reply_ = !length && !http10 && !has_no_body(head.status_);
  if (!length && http10) head.close_ = true;  // the connection's end is the body's
  reply_left_ = length;
  begin_reply(head, length);
  if (!body_wanted_) chunked_reply_ = false;
  reply_ = Reply::streaming;
  if (!receiving_) flush();
}

void ServerConnection::stream(std::string_view data) {
  check_alive();
  if (reply_ != Reply::streaming) throw RuntimeError("write after write_eof");
  if (data.empty()) return;
  if (reply_left_) {
    if (data.size() > *reply_left_) throw ValueError("the body is longer than declared");
    *reply_left_ -= data.size();
  }
  if (!body_wanted_) return;
  reply_size_ += data.size();
  if (chunked_reply_) out_ += chunk_prefix(data.size());
  if (data.size() < large_body) {
    out_ += data;
  } else {
    transport_->writelines({out_, data});
    out_.clear();
  }
  if (chunked_reply_) out_ += "\r\n";
  if (!receiving_ || out_.size() > high_water) flush();
}

void ServerConnection::end_stream(const Headers& trailers) {
  if (reply_ != Reply::streaming) return;
  reply_ = Reply::done;
  if (lost_) return;
  if (reply_left_.value_or(0) > 0 && body_wanted_) {
    log(LogLevel::error, "brio.http",
        "the response to " + std::string(request_.target()) + " is shorter than declared");
    return cut_off(false);
  }
  if (!chunked_reply_) return;
  out_ += "0\r\n";
  for (const Header field : trailers) append_field(out_, field.name, field.value);
  out_ += "\r\n";
  if (!receiving_) flush();
}

Coro<> ServerConnection::drain(std::shared_ptr<ServerConnection> self) {
  self->flush();
  while (self->writing_paused_ && !self->lost_) co_await self->wait(self->writer_);
}

void ServerConnection::leave_upgraded() {
  if (state_ != State::upgraded) return;
  state_ = State::lost;
  lost_ = true;
  stop_upgraded_ = {};
  core_->remove(*this);
}

void ServerConnection::upgrade(const Headers& fields, std::shared_ptr<Protocol> next,
                               std::function<void()> stop) {
  if (state_ != State::answering || reply_ != Reply::none) {
    throw RuntimeError("a response to this request has begun already");
  }
  check_alive();
  reply_ = Reply::done;
  reply_status_ = 101;
  out_ += "HTTP/1.1 101 Switching Protocols\r\n";
  for (const Header field : fields) append_field(out_, field.name, field.value);
  out_ += core_->standing_fields();
  out_ += "\r\n";
  flush();
  state_ = State::upgraded;
  stop_upgraded_ = std::move(stop);
  const std::string rest(input_);
  input_ = {};
  kept_ = {};
  ++core_->stats().requests;
  transport_->set_protocol(next);
  next->connection_made(transport_);
  if (std::exchange(reading_paused_, false)) transport_->resume_reading();
  if (!rest.empty()) next->data_received(rest);
  if (core_->stopping() && stop_upgraded_) stop_upgraded_();
}

}  // namespace brio::http::detail
