#include <brio/net/stream_reader.hpp>

#include <brio/core/detail/future_base.hpp>

#include <span>
#include <utility>

namespace brio {

namespace net::detail {

// The one wait for more data.
class DataWait : public brio::detail::Waiter {
public:
  DataWait(StreamReaderState& reader, const char* function) : reader_(&reader) {
    if (reader.waiter_ != nullptr) {
      throw RuntimeError(std::string(function) +
                         "() called while another coroutine is already waiting for incoming data");
    }
    // Data and an error that came together: the data was not enough, so the error's turn is now.
    if (reader.exception_) std::rethrow_exception(reader.exception_);
    // Who waits for more than the limit must be able to get it.
    if (reader.paused_) {
      reader.paused_ = false;
      reader.transport_->resume_reading();
    }
  }
  ~DataWait() override { leave(); }

  [[nodiscard]] bool await_ready() const noexcept { return false; }
  template <class Promise>
  bool await_suspend(std::coroutine_handle<Promise> caller) {
    if (!suspend(caller.promise())) return false;
    reader_->waiter_ = this;
    return true;
  }
  void await_resume() {
    leave();
    check();
    if (failed_) std::rethrow_exception(reader_->exception_);
  }
  void fail() {
    failed_ = pending();
    wake();
  }

private:
  void leave() noexcept {
    if (reader_->waiter_ == this) reader_->waiter_ = nullptr;
  }
  StreamReaderState* reader_;
  bool failed_ = false;
};

StreamReaderState::StreamReaderState(std::size_t limit) : limit_(limit) {
  if (limit == 0) throw ValueError("Limit cannot be <= 0");
}

void StreamReaderState::feed_data(std::string_view data) {
  if (eof_) throw RuntimeError("feed_data after feed_eof");
  if (data.empty()) return;
  buffer_.append(data);
  if (DataWait* const waiter = std::exchange(waiter_, nullptr)) waiter->wake();
  if (transport_ && !paused_ && buffer_.size() > 2 * limit_) {
    transport_->pause_reading();
    paused_ = true;
  }
}

void StreamReaderState::feed_eof() {
  eof_ = true;
  if (DataWait* const waiter = std::exchange(waiter_, nullptr)) waiter->wake();
}

void StreamReaderState::set_exception(std::exception_ptr exc) {
  exception_ = std::move(exc);
  if (DataWait* const waiter = std::exchange(waiter_, nullptr)) waiter->fail();
}

void StreamReaderState::maybe_resume_transport() {
  if (!paused_ || buffer_.size() > limit_) return;
  paused_ = false;
  transport_->resume_reading();
}

namespace {

void raise_stored(const StreamReaderState& reader) {
  if (reader.exception_) std::rethrow_exception(reader.exception_);
}

// How a search for a separator has ended.
struct Found {
  enum class Kind { line, incomplete, overrun } kind;
  std::string bytes = {};         // the line, or all that was left
  const char* problem = nullptr;  // of an overrun
  std::size_t consumed = 0;       // of an overrun
};

Coro<Found> search(ReaderRef reader, std::vector<std::string> many, const char* function) {
  // readline's separator, without an allocation for it on each call.
  static const std::string newline = "\n";
  const std::span<const std::string> separators =
      many.empty() ? std::span<const std::string>(&newline, 1) : std::span<const std::string>(many);
  raise_stored(*reader);
  SeparatorSearch searching(separators);
  for (;;) {
    if (const auto match = searching.find(reader->buffer_.view())) {
      if (match->start > reader->limit_) {
        co_return Found{Found::Kind::overrun,
                        {},
                        "Separator is found, but chunk is longer than limit",
                        match->start};
      }
      Found found{Found::Kind::line, reader->buffer_.take(match->end)};
      reader->maybe_resume_transport();
      co_return found;
    }
    if (searching.scanned() > reader->limit_) {
      co_return Found{Found::Kind::overrun,
                      {},
                      "Separator is not found, and chunk exceed the limit",
                      searching.scanned()};
    }
    // After the look at the buffer: the last piece may have brought both separator and end.
    if (reader->eof_) co_return Found{Found::Kind::incomplete, reader->buffer_.take_all()};
    co_await DataWait(*reader, function);
  }
}

}  // namespace

Coro<std::string> read_some(ReaderRef reader, std::size_t count) {
  raise_stored(*reader);
  if (count == 0) co_return std::string();
  if (reader->buffer_.empty() && !reader->eof_) co_await DataWait(*reader, "read");
  std::string data = reader->buffer_.take(count);
  reader->maybe_resume_transport();
  co_return data;
}

Coro<std::string> read_to_end(ReaderRef reader) {
  std::string all;
  for (;;) {
    raise_stored(*reader);
    if (reader->buffer_.empty() && !reader->eof_) {
      // A cancelled read gives back what it has collected: it stays for the next one.
      struct GiveBack {
        StreamReaderState& reader;
        std::string& bytes;
        bool armed = true;
        ~GiveBack() {
          if (armed) reader.buffer_.prepend(std::move(bytes));
        }
      } give_back{*reader, all};
      co_await DataWait(*reader, "read");
      give_back.armed = false;
    }
    if (reader->buffer_.empty()) co_return all;
    if (all.empty()) {
      all = reader->buffer_.take_all();
    } else {
      all += reader->buffer_.view();
      reader->buffer_.clear();
    }
    reader->maybe_resume_transport();
  }
}

Coro<std::string> read_exactly(ReaderRef reader, std::size_t count) {
  raise_stored(*reader);
  while (reader->buffer_.size() < count) {
    if (reader->eof_) throw IncompleteReadError(reader->buffer_.take_all(), count);
    co_await DataWait(*reader, "readexactly");
  }
  std::string data = reader->buffer_.take(count);
  reader->maybe_resume_transport();
  co_return data;
}

Coro<std::string> read_until(ReaderRef reader, std::vector<std::string> separators) {
  if (separators.empty()) throw ValueError("Separator should contain at least one element");
  for (const std::string& separator : separators) {
    if (separator.empty()) throw ValueError("Separator should be at least one-byte string");
  }
  Found found = co_await search(std::move(reader), std::move(separators), "readuntil");
  if (found.kind == Found::Kind::overrun) throw LimitOverrunError(found.problem, found.consumed);
  if (found.kind == Found::Kind::incomplete) {
    throw IncompleteReadError(std::move(found.bytes), std::nullopt);
  }
  co_return std::move(found.bytes);
}

Coro<std::string> read_line(ReaderRef reader) {
  Found found = co_await search(reader, {}, "readline");
  if (found.kind == Found::Kind::overrun) {
    // The line goes, so that the next call finds the next one; without its end everything does.
    const std::string_view rest = reader->buffer_.view().substr(found.consumed);
    if (rest.starts_with('\n')) {
      reader->buffer_.consume(found.consumed + 1);
    } else {
      reader->buffer_.clear();
    }
    reader->maybe_resume_transport();
    throw ValueError(found.problem);
  }
  co_return std::move(found.bytes);
}

Coro<std::optional<std::string>> read_next_line(ReaderRef reader) {
  std::string line = co_await read_line(std::move(reader));
  if (line.empty()) co_return std::nullopt;
  co_return std::move(line);
}

}  // namespace net::detail

StreamReader::StreamReader(std::size_t limit) : state_(new net::detail::StreamReaderState(limit)) {}

}  // namespace brio
