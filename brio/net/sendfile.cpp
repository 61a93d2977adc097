#include <brio/net/sendfile.hpp>

#include <brio/core/loop.hpp>
#include <brio/core/outcome.hpp>
#include <brio/exec/run_in_executor.hpp>
#include <brio/net/fd_wait.hpp>
#include <brio/net/loop_state.hpp>
#include <brio/net/sigpipe.hpp>
#include <brio/net/sock.hpp>
#include <brio/net/socket_transport.hpp>
#include <brio/net/stream_flow.hpp>

#include <algorithm>
#include <cerrno>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

namespace brio {

using net::TransportSocket;
using net::detail::FdReady;
using net::detail::SocketTransport;

namespace {

// One call of sendfile(2) takes no more than this.
constexpr std::uint64_t largest_step = 0x7ffff000;
constexpr std::size_t fallback_step = 256 * 1024;

// How far a file has got. The destructor puts the file's position behind the last byte sent, on
// every way out.
class Progress {
public:
  Progress(int file, const SendfileOptions& options)
      : file_(file), offset_(options.offset), left_(options.count) {
    struct stat status{};
    if (::fstat(file, &status) != 0) throw_oserror(errno, "sendfile");
    if (!S_ISREG(status.st_mode)) throw ValueError("sendfile needs a regular file");
    if (left_ && *left_ == 0) throw ValueError("count must be a positive integer");
  }
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  ~Progress() {
    if (sent_ != 0) ::lseek(file_, static_cast<off_t>(offset_ + sent_), SEEK_SET);
  }

  [[nodiscard]] int file() const noexcept { return file_; }
  [[nodiscard]] std::uint64_t position() const noexcept { return offset_ + sent_; }
  [[nodiscard]] std::uint64_t sent() const noexcept { return sent_; }
  [[nodiscard]] std::uint64_t step(std::uint64_t most) const noexcept {
    return left_ ? std::min(most, *left_) : most;
  }
  [[nodiscard]] bool finished() const noexcept { return left_ && *left_ == 0; }
  void add(std::uint64_t count) noexcept {
    sent_ += count;
    if (left_) *left_ -= count;
  }

private:
  int file_;
  std::uint64_t offset_;
  std::optional<std::uint64_t> left_;
  std::uint64_t sent_ = 0;
};

ssize_t send_step(int socket, const Progress& progress) {
  net::detail::SigpipeGuard guard;
  auto position = static_cast<off_t>(progress.position());
  const ssize_t count = ::sendfile(socket, progress.file(), &position, progress.step(largest_step));
  if (count < 0 && errno == EPIPE) guard.broken();
  return count;
}

// False when this file and this socket do not go together and nothing was sent. A transport is
// waited for through itself, so that its close ends the wait before the descriptor goes.
Coro<bool> send_natively(TransportSocket socket, std::shared_ptr<SocketTransport> transport,
                         Progress& progress) {
  EventLoop& loop = get_running_loop();
  while (!progress.finished()) {
    // Closed while we waited: the descriptor may belong to somebody else by now.
    if (transport && transport->is_closing()) {
      throw ConnectionAbortedError(ECONNABORTED, "sendfile on a transport that was closed");
    }
    const ssize_t count = send_step(socket.fileno(), progress);
    if (count > 0) {
      progress.add(static_cast<std::uint64_t>(count));
    } else if (count == 0) {
      break;  // the end of the file
    } else if (errno == EAGAIN || errno == EINTR) {
      if (transport) {
        co_await transport->wait_writable();
      } else {
        co_await FdReady(loop, socket.fileno(), Interest::write);
      }
    } else if ((errno == EINVAL || errno == ENOSYS || errno == ENOTSOCK || errno == EOPNOTSUPP) &&
               progress.sent() == 0) {
      co_return false;
    } else {
      throw_oserror(errno, "sendfile");
    }
  }
  co_return true;
}

std::string read_at(int file, std::uint64_t position, std::size_t size) {
  std::string chunk(size, '\0');
  ssize_t count = 0;
  do {
    count = ::pread(file, chunk.data(), size, static_cast<off_t>(position));
  } while (count < 0 && errno == EINTR);
  if (count < 0) throw_oserror(errno, "read");
  chunk.resize(static_cast<std::size_t>(count));
  return chunk;
}

// The next piece, read in a thread; "" at the end.
Coro<std::string> next_chunk(const Progress& progress) {
  if (progress.finished()) co_return std::string();
  co_return co_await run_in_executor(nullptr, &read_at, progress.file(), progress.position(),
                                     static_cast<std::size_t>(progress.step(fallback_step)));
}

// Takes the place of a transport's protocol while a file is written piece by piece, so that the
// pieces follow the transport's flow control. The protocol itself hears of pause and resume all
// the same, and of the connection's loss afterwards.
class SendfileProtocol : public Protocol {
public:
  explicit SendfileProtocol(std::shared_ptr<Transport> transport)
      : transport_(std::move(transport)),
        original_(transport_->get_protocol()),
        was_reading_(transport_->is_reading()) {}

  // Not in the constructor: the transport takes a shared handle.
  static std::shared_ptr<SendfileProtocol> install(std::shared_ptr<Transport> transport) {
    auto self = std::make_shared<SendfileProtocol>(std::move(transport));
    self->transport_->pause_reading();
    self->transport_->set_protocol(self);
    self->note_full_buffer();
    return self;
  }
  void restore() {
    if (lost_) {
      transport_->get_loop().call_soon(
          [original = original_, error = error_] { original->connection_lost(error); });
      return;
    }
    if (transport_->get_protocol().get() == this) transport_->set_protocol(original_);
    if (was_reading_) transport_->resume_reading();
  }
  void write(std::string&& chunk) {
    if (lost_ || transport_->is_closing()) {
      if (error_) std::rethrow_exception(error_);
      throw ConnectionError(std::error_code(ECONNRESET, std::generic_category()),
                            "sendfile failed: the connection was closed");
    }
    transport_->write(std::move(chunk));
    note_full_buffer();
  }
  [[nodiscard]] static std::shared_ptr<StreamFlowControl> flow(
      const std::shared_ptr<SendfileProtocol>& self) {
    return {self, &self->flow_};
  }

  void pause_writing() override {
    flow_.pause_writing();
    original_->pause_writing();
  }
  void resume_writing() override {
    flow_.resume_writing();
    original_->resume_writing();
  }
  void connection_lost(std::exception_ptr exc) override {
    lost_ = true;
    error_ = exc;
    flow_.connection_lost(std::move(exc));
  }

private:
  // A transport that was paused before we came does not say so again.
  void note_full_buffer() {
    if (transport_->get_write_buffer_size() > transport_->get_write_buffer_limits().high) {
      flow_.pause_writing();
    }
  }

  std::shared_ptr<Transport> transport_;
  std::shared_ptr<Protocol> original_;
  bool was_reading_;
  StreamFlowControl flow_;
  bool lost_ = false;
  std::exception_ptr error_;
};

Coro<> write_pieces(std::shared_ptr<Transport> transport, Progress& progress) {
  const auto standing_in = SendfileProtocol::install(std::move(transport));
  const auto body = [](std::shared_ptr<SendfileProtocol> protocol, Progress& so_far) -> Coro<> {
    for (;;) {
      std::string chunk = co_await next_chunk(so_far);
      if (chunk.empty()) break;
      co_await StreamFlowControl::drain(SendfileProtocol::flow(protocol));
      const std::size_t size = chunk.size();
      protocol->write(std::move(chunk));
      so_far.add(size);
    }
  };
  const Outcome<> outcome = co_await as_outcome(body(standing_in, progress));
  standing_in->restore();
  outcome.raise();
}

}  // namespace

Coro<std::uint64_t> sock_sendfile(TransportSocket sock, int file, SendfileOptions options) {
  net::detail::LoopState::of(get_running_loop()).ensure_no_transport(sock.fileno());
  if (sock.type() != SOCK_STREAM) throw ValueError("only SOCK_STREAM type sockets are supported");
  Progress progress(file, options);
  if (co_await send_natively(sock, nullptr, progress)) co_return progress.sent();
  if (!options.fallback) {
    throw SendfileNotAvailableError("os.sendfile call failed: this file cannot be sent natively");
  }
  for (;;) {
    std::string chunk = co_await next_chunk(progress);
    if (chunk.empty()) break;
    const std::size_t size = chunk.size();
    co_await sock_sendall(sock, std::move(chunk));
    progress.add(size);
  }
  co_return progress.sent();
}

Coro<std::uint64_t> sendfile(std::shared_ptr<Transport> transport, int file,
                             SendfileOptions options) {
  if (transport->is_closing()) throw RuntimeError("Transport is closing");
  Progress progress(file, options);
  const auto native = std::dynamic_pointer_cast<SocketTransport>(transport);
  if (native) {
    const bool was_reading = native->is_reading();
    native->pause_reading();
    struct GiveBack {
      SocketTransport& transport;
      bool resume;
      ~GiveBack() {
        transport.reset_empty_waiter();
        if (resume) transport.resume_reading();
      }
    };
    bool sent = false;
    {
      const Future<> drained = native->make_empty_waiter();
      const GiveBack give_back{*native, was_reading};
      co_await drained;
      sent = co_await send_natively(TransportSocket(native->fileno()), native, progress);
    }
    if (sent) co_return progress.sent();
  }
  if (!options.fallback) {
    throw SendfileNotAvailableError("sendfile is not available for this transport and file");
  }
  co_await write_pieces(std::move(transport), progress);
  co_return progress.sent();
}

}  // namespace brio
