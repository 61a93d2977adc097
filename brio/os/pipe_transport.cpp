#include <brio/os/pipe_transport.hpp>

#include <brio/core/exceptions.hpp>
#include <brio/core/logging.hpp>
#include <brio/net/loop_state.hpp>
#include <brio/net/sigpipe.hpp>
#include <brio/net/socket_transport.hpp>
#include <brio/net/system_calls.hpp>

#include <array>
#include <cerrno>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>
#include <utility>

namespace brio::os::detail {

using brio::detail::ContextSwitch;
using net::detail::late_writes_before_warning;
using net::detail::LoopState;
using net::detail::max_iovecs;
using net::detail::would_block;

namespace {

mode_t type_of(const Descriptor& pipe) {
  struct stat status{};
  if (::fstat(pipe.fileno(), &status) != 0) throw_oserror(errno, "fstat of a pipe");
  return status.st_mode;
}

bool is_pipe_like(mode_t mode) { return S_ISFIFO(mode) || S_ISSOCK(mode) || S_ISCHR(mode); }

void set_nonblocking(int fd) {
  const int flags = ::fcntl(fd, F_GETFL);
  if (flags < 0 || ((flags & O_NONBLOCK) == 0 && ::fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0)) {
    throw_oserror(errno, "making a pipe non-blocking");
  }
}

[[noreturn]] void throw_one_way(const char* direction) {
  throw RuntimeError(std::string("this pipe is for ") + direction + " only");
}

}  // namespace

// ---- both directions

PipeTransport::PipeTransport(EventLoop& loop, Descriptor pipe, std::shared_ptr<Protocol> protocol)
    : loop_kept_(&loop),
      loop_(&loop),
      pipe_(std::move(pipe)),
      context_(brio::detail::ContextSlot::current().copy()) {
  set_protocol(std::move(protocol));
}

PipeTransport::~PipeTransport() = default;

void PipeTransport::begin(Future<> waiter) {
  set_nonblocking(pipe_.fileno());
  const auto self = shared_from_this();
  LoopState::of(*loop_).keep(pipe_.fileno(), self);
  loop_->call_soon([self, protocol = protocol_] {
    const ContextSwitch switched(self->context_);
    protocol->connection_made(self);
  });
  loop_->call_soon([self] {
    if (self->closing_) return;
    const ContextSwitch switched(self->context_);
    try {
      self->watch_first();
    } catch (...) {
      self->fatal_error(net::detail::current_ordinary_exception(), "Cannot watch the pipe", false);
    }
  });
  if (waiter) {
    loop_->call_soon([waiter = std::move(waiter)] {
      if (!waiter.done()) waiter.set_result();
    });
  }
}

void PipeTransport::abandon() noexcept {
  closing_ = lost_ = true;
  reading_ = writing_ = false;
  drop_buffer();
  pipe_.close();
  protocol_ = nullptr;
}

void PipeTransport::set_protocol(std::shared_ptr<Protocol> protocol) {
  if (!protocol) throw TypeError("a transport needs a protocol");
  if (protocol->as_buffered() != nullptr) {
    throw TypeError("pipes take a Protocol, not a BufferedProtocol");
  }
  protocol_ = std::move(protocol);
}

std::any PipeTransport::get_extra_info(std::string_view name) const {
  if (name == "pipe" && pipe_) return pipe_.fileno();
  return {};
}

void PipeTransport::unwatch() {
  if (std::exchange(reading_, false)) loop_->remove_reader(pipe_.fileno());
  if (std::exchange(writing_, false)) loop_->remove_writer(pipe_.fileno());
}

void PipeTransport::close() {
  if (!closing_) force_close(nullptr);
}

void PipeTransport::force_close(std::exception_ptr exc) {
  closing_ = true;
  if (lost_) return;
  drop_buffer();
  unwatch();
  schedule_connection_lost(std::move(exc));
}

void PipeTransport::schedule_connection_lost(std::exception_ptr exc) {
  if (std::exchange(lost_, true)) return;
  loop_->call_soon([self = shared_from_this(), exc = std::move(exc)] {
    const ContextSwitch switched(self->context_);
    self->call_connection_lost(exc);
  });
}

void PipeTransport::call_connection_lost(const std::exception_ptr& exc) {
  lost_ = true;
  struct Finish {
    PipeTransport& self;
    ~Finish() {
      const auto kept = LoopState::of(*self.loop_).release(self.pipe_.fileno());
      self.pipe_.close();
    }
  };
  const auto self = shared_from_this();
  const Finish finish{*this};
  if (const auto protocol = std::exchange(protocol_, nullptr)) protocol->connection_lost(exc);
}

void PipeTransport::fatal_error(std::exception_ptr exc, const char* message, bool quiet) {
  if (!quiet) {
    report(exc, message);
  } else if (loop_->get_debug()) {
    log(LogLevel::debug, "brio.os", repr() + ": " + message + ": " + describe(exc));
  }
  force_close(std::move(exc));
}

void PipeTransport::report(std::exception_ptr exc, const char* message) {
  ExceptionContext context;
  context.message = message;
  context.exception = std::move(exc);
  context.source = "transport: " + repr();
  loop_->call_exception_handler(context);
}

void PipeTransport::log_debug(LogLevel level, const char* what) const {
  if (loop_->get_debug()) log(level, "brio.os", repr() + " " + what);
}

std::string PipeTransport::repr_of(const char* name, bool polling, const std::string& more) const {
  std::string text = std::string("<") + name;
  if (!pipe_) return text + " closed>";
  if (closing_) text += " closing";
  text += " fd=" + std::to_string(pipe_.fileno()) + (polling ? " polling" : " idle");
  return text + more + ">";
}

// ---- reading

std::shared_ptr<ReadPipeTransport> ReadPipeTransport::create(EventLoop& loop, Descriptor pipe,
                                                             std::shared_ptr<Protocol> protocol,
                                                             Future<> waiter) {
  if (!is_pipe_like(type_of(pipe))) {
    throw ValueError("Pipe transport is for pipes/sockets only.");
  }
  auto transport =
      std::make_shared<ReadPipeTransport>(Private(), loop, std::move(pipe), std::move(protocol));
  transport->begin(std::move(waiter));
  return transport;
}

ReadPipeTransport::ReadPipeTransport(Private, EventLoop& loop, Descriptor pipe,
                                     std::shared_ptr<Protocol> protocol)
    : PipeTransport(loop, std::move(pipe), std::move(protocol)) {}

void ReadPipeTransport::watch_first() {
  if (is_reading()) start_reading();
}

void ReadPipeTransport::start_reading() {
  // The loop's list of transports keeps this until the watcher is off.
  loop_->add_reader(pipe_.fileno(), [this] { readable(); });
  reading_ = true;
}

void ReadPipeTransport::readable() {
  const auto self = shared_from_this();
  const ContextSwitch switched(context_);
  const LoopState::Loan loan(*loop_);
  const ssize_t count = ::read(pipe_.fileno(), loan.data(), loan.size());
  if (count > 0) {
    // As in asyncio, what this throws is reported by the loop, and the pipe stays open.
    const std::shared_ptr<Protocol> protocol = protocol_;
    protocol->data_received({loan.data(), static_cast<std::size_t>(count)});
    return;
  }
  if (count < 0) {
    const int error = errno;
    if (would_block(error)) return;
    // EIO: the other side of a pseudo-terminal was closed.
    fatal_error(make_oserror(error, "read from a pipe"), "Fatal read error on pipe transport",
                error == EIO);
    return;
  }
  log_debug(LogLevel::info, "was closed by peer");
  closing_ = true;
  unwatch();
  loop_->call_soon([this, self, protocol = protocol_] {
    const ContextSwitch in_its_context(context_);
    protocol->eof_received();
  });
  schedule_connection_lost(nullptr);
}

void ReadPipeTransport::pause_reading() {
  if (!is_reading()) return;
  paused_ = true;
  unwatch();
  log_debug(LogLevel::debug, "pauses reading");
}

void ReadPipeTransport::resume_reading() {
  if (closing_ || !paused_) return;
  paused_ = false;
  start_reading();
  log_debug(LogLevel::debug, "resumes reading");
}

void ReadPipeTransport::write_bytes(std::string_view, std::string*) { throw_one_way("reading"); }
void ReadPipeTransport::writelines(std::span<const std::string_view>) { throw_one_way("reading"); }
void ReadPipeTransport::write_eof() { throw_one_way("reading"); }
void ReadPipeTransport::set_write_buffer_limits(WriteBufferLimitsOptions) {
  throw_one_way("reading");
}

std::string ReadPipeTransport::repr() const { return repr_of("ReadPipeTransport", reading_, ""); }

// ---- writing

std::shared_ptr<WritePipeTransport> WritePipeTransport::create(EventLoop& loop, Descriptor pipe,
                                                               std::shared_ptr<Protocol> protocol,
                                                               Future<> waiter) {
  const mode_t mode = type_of(pipe);
  if (!is_pipe_like(mode)) {
    throw ValueError("Pipe transport is only for pipes, sockets and character devices");
  }
  auto transport =
      std::make_shared<WritePipeTransport>(Private(), loop, std::move(pipe), std::move(protocol));
  transport->notices_reader_ = !S_ISCHR(mode);
  transport->begin(std::move(waiter));
  return transport;
}

WritePipeTransport::WritePipeTransport(Private, EventLoop& loop, Descriptor pipe,
                                       std::shared_ptr<Protocol> protocol)
    : PipeTransport(loop, std::move(pipe), std::move(protocol)) {}

void WritePipeTransport::watch_first() {
  if (!notices_reader_) return;
  // The writing end of a pipe becomes "readable" when nobody can read from it any more.
  loop_->add_reader(pipe_.fileno(), [this] { reader_gone(); });
  reading_ = true;
}

void WritePipeTransport::reader_gone() {
  const auto self = shared_from_this();
  const ContextSwitch switched(context_);
  log_debug(LogLevel::info, "was closed by peer");
  force_close(buffer_.empty() ? nullptr : make_oserror(EPIPE, "write to a pipe"));
}

bool WritePipeTransport::open_for_writing() {
  if (!closing_) return true;
  if (late_writes_ >= late_writes_before_warning) {
    log(LogLevel::warning, "brio.os", "pipe closed by peer or a write to it has failed");
  }
  ++late_writes_;
  return false;
}

std::optional<std::size_t> WritePipeTransport::put(const iovec* parts, std::size_t count) {
  int error = 0;
  {
    net::detail::SigpipeGuard guard;
    const ssize_t done = ::writev(pipe_.fileno(), parts, static_cast<int>(count));
    if (done >= 0) return static_cast<std::size_t>(done);
    error = errno;
    if (error == EPIPE) guard.broken();
  }
  if (would_block(error)) return 0;
  ++late_writes_;
  fatal_error(make_oserror(error, "write to a pipe"), "Fatal write error on pipe transport", true);
  return std::nullopt;
}

void WritePipeTransport::write_bytes(std::string_view data, std::string* owned) {
  if (data.empty() || !open_for_writing()) return;
  std::size_t done = 0;
  if (buffer_.empty()) {
    const iovec part{const_cast<char*>(data.data()), data.size()};
    const auto taken = put(&part, 1);
    if (!taken || *taken == data.size()) return;
    done = *taken;
    start_writing();
  }
  if (owned != nullptr) {
    buffer_.append(std::move(*owned), done);
  } else {
    buffer_.append(data.substr(done));
  }
  buffer_grew();
}

void WritePipeTransport::writelines(std::span<const std::string_view> pieces) {
  std::string all;
  for (const std::string_view piece : pieces) all += piece;
  write_bytes(all, &all);
}

void WritePipeTransport::start_writing() {
  loop_->add_writer(pipe_.fileno(), [this] { writable(); });
  writing_ = true;
}

void WritePipeTransport::writable() {
  const auto self = shared_from_this();
  const ContextSwitch switched(context_);
  std::array<iovec, max_iovecs> parts;
  const std::size_t count = buffer_.gather(parts.data(), parts.size());
  const auto taken = put(parts.data(), count);
  if (!taken) return;
  buffer_.consume(*taken);
  if (!buffer_.empty()) return;
  if (std::exchange(writing_, false)) loop_->remove_writer(pipe_.fileno());
  if (auto error = flow_.shrank(0, protocol_)) {
    report(std::move(error), "protocol.resume_writing() failed");
  }
  // The protocol, told to resume, may have written more or ended everything.
  if (!closing_ || lost_ || !buffer_.empty()) return;
  unwatch();
  call_connection_lost(nullptr);
}

void WritePipeTransport::write_eof() {
  if (closing_) return;
  closing_ = true;
  if (!buffer_.empty()) return;
  unwatch();
  schedule_connection_lost(nullptr);
}

void WritePipeTransport::set_write_buffer_limits(WriteBufferLimitsOptions options) {
  flow_.set_limits(options);
  buffer_grew();
}

void WritePipeTransport::buffer_grew() {
  if (auto error = flow_.grew(buffer_.size(), protocol_)) {
    report(std::move(error), "protocol.pause_writing() failed");
  }
}

void WritePipeTransport::pause_reading() { throw_one_way("writing"); }
void WritePipeTransport::resume_reading() { throw_one_way("writing"); }

std::string WritePipeTransport::repr() const {
  return repr_of("WritePipeTransport", writing_, " bufsize=" + std::to_string(buffer_.size()));
}

}  // namespace brio::os::detail
