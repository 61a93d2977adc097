#include <brio/os/process_transport.hpp>

#include <brio/core/cancel_scope.hpp>
#include <brio/core/logging.hpp>
#include <brio/core/outcome.hpp>
#include <brio/os/pipe_transport.hpp>
#include <brio/os/pipes.hpp>
#include <brio/os/spawn.hpp>

#include <cerrno>
#include <csignal>
#include <fcntl.h>
#include <set>
#include <utility>

namespace brio {

void SubprocessProtocol::connection_made(std::shared_ptr<SubprocessTransport> /*transport*/) {}
void SubprocessProtocol::pipe_data_received(int /*fd*/, std::string_view /*data*/) {}
void SubprocessProtocol::pipe_connection_lost(int /*fd*/, std::exception_ptr /*exc*/) {}
void SubprocessProtocol::process_exited() {}

namespace os::detail {

using subprocess::Stdio;
using Kind = Stdio::Kind;

namespace {

// The children of one loop that are not through yet. When the loop is closed, so are they.
class Children {
public:
  Children() = default;
  Children(const Children&) = delete;
  Children& operator=(const Children&) = delete;
  ~Children() {
    for (const auto& child : std::exchange(children_, {})) child->abandon();
  }
  void add(std::shared_ptr<ProcessTransport> child) { children_.insert(std::move(child)); }
  void remove(const std::shared_ptr<ProcessTransport>& child) noexcept { children_.erase(child); }

private:
  std::set<std::shared_ptr<ProcessTransport>> children_;
};

constexpr std::size_t index(int fd) { return static_cast<std::size_t>(fd); }

const Stdio& stream_of(const SubprocessOptions& options, int fd) {
  return fd == 0 ? options.stdin : fd == 1 ? options.stdout : options.stderr;
}

std::string describe_stream(const Stdio& stream) {
  switch (stream.kind()) {
    case Kind::pipe: return "<pipe>";
    case Kind::stdout_too: return "<stdout>";
    case Kind::devnull: return "<devnull>";
    case Kind::descriptor: return std::to_string(stream.fd());
    case Kind::by_default:
    case Kind::inherit: break;
  }
  return "";
}

// No argument of a program is logged: it may be a password.
void log_start(const std::string& what, const SubprocessOptions& options) {
  std::string text = what;
  const std::string in = describe_stream(options.stdin);
  const std::string out = describe_stream(options.stdout);
  const std::string err = describe_stream(options.stderr);
  if (!in.empty()) text += " stdin=" + in;
  if (!out.empty() && options.stderr.kind() == Kind::stdout_too) {
    text += " stdout=stderr=" + out;
  } else {
    if (!out.empty()) text += " stdout=" + out;
    if (!err.empty()) text += " stderr=" + err;
  }
  log(LogLevel::debug, "brio.os", text);
}

void check(const SubprocessOptions& options) {
  if (options.text) throw ValueError("text must be False");
  if (options.stdin.kind() == Kind::stdout_too || options.stdout.kind() == Kind::stdout_too) {
    throw ValueError("STDOUT can only be used for stderr");
  }
  std::set<int> taken;
  for (int fd = 0; fd < 3; ++fd) {
    const Stdio& stream = stream_of(options, fd);
    if (stream.kind() == Kind::descriptor && stream.fd() < 0) {
      throw ValueError("Invalid file descriptor: " + std::to_string(stream.fd()));
    }
    taken.insert(fd);
  }
  for (const subprocess::PassedDescriptor& passed : options.pass_fds) {
    if (passed.ours < 0 || passed.theirs < 0) {
      throw ValueError("Invalid file descriptor in pass_fds");
    }
    const bool standard_as_it_is = passed.theirs < 3 && passed.ours == passed.theirs;
    if (!standard_as_it_is && !taken.insert(passed.theirs).second) {
      throw ValueError("descriptor " + std::to_string(passed.theirs) +
                       " of the child is given twice");
    }
  }
}

// Blocking, as a child expects it.
Descriptor open_devnull() {
  auto devnull = Descriptor::adopt(::open("/dev/null", O_RDWR | O_CLOEXEC));
  if (!devnull) throw_oserror(errno, "open '/dev/null'");
  return devnull;
}

std::vector<std::string> arguments_of(const Command& command, const SubprocessOptions& options) {
  if (!command.shell) return command.words;
  const std::string shell = options.executable.empty() ? "/bin/sh" : options.executable;
  return {shell, "-c", command.words.front()};
}

}  // namespace

// The protocol of one of the child's pipes.
class PipeProtocol final : public Protocol {
public:
  PipeProtocol(const std::shared_ptr<ProcessTransport>& process, int fd)
      : process_(process), fd_(fd) {}

  void connection_made(std::shared_ptr<Transport> transport) override {
    pipe = std::move(transport);
  }
  void data_received(std::string_view data) override {
    if (const auto process = process_.lock()) process->pipe_data_received(fd_, data);
  }
  void connection_lost(std::exception_ptr exc) override {
    disconnected = true;
    if (const auto process = process_.lock()) process->pipe_connection_lost(fd_, std::move(exc));
  }
  void pause_writing() override {
    if (const auto protocol = protocol_above()) protocol->pause_writing();
  }
  void resume_writing() override {
    if (const auto protocol = protocol_above()) protocol->resume_writing();
  }

  std::shared_ptr<Transport> pipe;
  bool disconnected = false;

private:
  [[nodiscard]] std::shared_ptr<SubprocessProtocol> protocol_above() const {
    const auto process = process_.lock();
    return process ? process->protocol_ : nullptr;
  }
  std::weak_ptr<ProcessTransport> process_;
  int fd_;
};

// ---- the start

ProcessTransport::ProcessTransport(Private, EventLoop& loop,
                                   std::shared_ptr<SubprocessProtocol> protocol)
    : loop_kept_(&loop), loop_(&loop), pending_calls_(std::in_place) {
  set_protocol(std::move(protocol));
}

ProcessTransport::~ProcessTransport() = default;

void ProcessTransport::spawn(const Command& command, const SubprocessOptions& options) {
  SpawnRequest request{arguments_of(command, options), options, {}};
  std::array<Descriptor, 3> theirs;
  std::array<int, 3> sources{0, 1, 2};
  for (int fd = 0; fd < 3; ++fd) {
    const Stdio& stream = stream_of(options, fd);
    int& source = sources[index(fd)];
    switch (stream.kind()) {
      case Kind::pipe: {
        auto [reading, writing] = Descriptor::pipe();
        theirs[index(fd)] = std::move(fd == 0 ? reading : writing);
        ends_[index(fd)] = std::move(fd == 0 ? writing : reading);
        source = theirs[index(fd)].fileno();
        break;
      }
      case Kind::stdout_too: source = sources[1]; break;
      case Kind::devnull:
        theirs[index(fd)] = open_devnull();
        source = theirs[index(fd)].fileno();
        break;
      case Kind::descriptor: source = stream.fd(); break;
      case Kind::by_default:
      case Kind::inherit: continue;
    }
    request.descriptors.push_back({source, fd});
  }
  for (const subprocess::PassedDescriptor& passed : options.pass_fds) {
    if (passed.theirs > 2) request.descriptors.push_back({passed.ours, passed.theirs});
  }
  pid_ = detail::spawn(request);
  child_ = std::make_unique<Child>(pid_);
  if (loop_->get_debug()) {
    log(LogLevel::debug, "brio.os",
        "process '" + command.words.front() + "' created: pid " + std::to_string(pid_));
  }
}

Coro<std::shared_ptr<ProcessTransport>> ProcessTransport::start(
    EventLoop& loop, std::shared_ptr<SubprocessProtocol> protocol, Command command,
    SubprocessOptions options) {
  const auto self = std::make_shared<ProcessTransport>(Private(), loop, std::move(protocol));
  self->spawn(command, options);
  const Future<> waiter = loop.create_future();
  loop.create_task(connect_pipes(self, waiter)).add_done_callback([self, waiter] {
    // Cancelled before its first step it has done nothing.
    if (self->connecting_)
      self->give_up_connecting(waiter, std::make_exception_ptr(CancelledError()));
  });
  // Should this throw, the child goes with `self`, and the pipes see that it is closed.
  struct CloseUnlessWatched {
    ProcessTransport& transport;
    bool watched = false;
    ~CloseUnlessWatched() {
      if (!watched) transport.abandon();
    }
  } guard{*self};
  self->child_->watch(loop, [&loop, weak = self->weak_from_this()](int returncode) {
    loop.call_soon([weak, returncode] {
      if (const auto process = weak.lock()) process->process_exited(returncode);
    });
  });
  loop.local<Children>().add(self);
  guard.watched = true;

  const auto made = co_await as_outcome(waiter);
  if (!made) {
    self->close();
    // Killed, it will not be long; a cancelled scope must not end this wait before it has begun.
    const auto ended = [&self]() -> Coro<> { (void)co_await wait(self); };
    const auto gone = co_await as_outcome(shielded(ended));
    if (!gone) gone.raise();
    made.raise();
  }
  co_return self;
}

Coro<void> ProcessTransport::connect_each(std::shared_ptr<ProcessTransport> self) {
  for (int fd = 0; fd < 3; ++fd) {
    Descriptor end = std::move(self->ends_[index(fd)]);
    if (!end) continue;
    const auto protocol = std::make_shared<PipeProtocol>(self, fd);
    self->pipes_[index(fd)] = protocol;
    const auto factory = [protocol]() -> std::shared_ptr<Protocol> { return protocol; };
    if (fd == 0) {
      co_await connect_write_pipe(factory, std::move(end));
    } else {
      co_await connect_read_pipe(factory, std::move(end));
    }
    if (self->closed_) {
      protocol->pipe->close();
      co_return;
    }
  }
}

Coro<void> ProcessTransport::connect_pipes(std::shared_ptr<ProcessTransport> self,
                                           Future<> waiter) {
  const auto outcome = co_await as_outcome(connect_each(self));
  if (!outcome || self->closed_) {
    self->give_up_connecting(waiter, outcome.error());
    co_return;
  }
  self->connecting_ = false;
  self->connected_ = true;
  self->loop_->call_soon([self, protocol = self->protocol_] { protocol->connection_made(self); });
  auto calls = std::exchange(self->pending_calls_, std::nullopt);
  for (auto& put_by : *calls) self->loop_->call_soon(std::move(put_by));
  if (!waiter.done()) waiter.set_result();
}

void ProcessTransport::give_up_connecting(const Future<>& waiter, const std::exception_ptr& error) {
  connecting_ = false;
  for (Descriptor& end : ends_) end.close();
  if (!waiter.done()) {
    if (!error || brio::detail::classify(error) == brio::detail::ErrorKind::cancelled) {
      waiter.cancel();
    } else {
      waiter.set_exception(error);
    }
  }
  try_finish();
}

// ---- what happens

void ProcessTransport::call(brio::detail::UniqueFunction<void()> function) {
  if (pending_calls_) {
    pending_calls_->push_back(std::move(function));
  } else {
    loop_->call_soon(std::move(function));
  }
}

void ProcessTransport::pipe_data_received(int fd, std::string_view data) {
  if (lost_) return;
  call([protocol = protocol_, fd, bytes = std::string(data)] {
    protocol->pipe_data_received(fd, bytes);
  });
}

void ProcessTransport::pipe_connection_lost(int fd, std::exception_ptr exc) {
  if (lost_) return;
  call([protocol = protocol_, fd, exc = std::move(exc)] {
    protocol->pipe_connection_lost(fd, exc);
  });
  try_finish();
}

void ProcessTransport::process_exited(int returncode) {
  if (loop_->get_debug()) {
    log(LogLevel::info, "brio.os",
        repr() + " exited with return code " + std::to_string(returncode));
  }
  returncode_ = returncode;
  call([protocol = protocol_] { protocol->process_exited(); });
  try_finish();
  exits_.wake_all();
}

void ProcessTransport::try_finish() {
  if (!returncode_ || connecting_ || finished_) return;
  for (const auto& protocol : pipes_) {
    if (protocol && protocol->pipe && !protocol->disconnected) return;
  }
  finished_ = true;
  if (connected_) {
    call([self = shared_from_this()] { self->call_connection_lost(); });
  } else {
    call_connection_lost();
  }
}

void ProcessTransport::call_connection_lost() {
  const auto self = shared_from_this();
  lost_ = true;
  leave_registry();
  const auto protocol = std::exchange(protocol_, nullptr);
  // What never heard of a connection hears nothing of its end either.
  pending_calls_.reset();
  if (connected_ && protocol) protocol->connection_lost(nullptr);
}

void ProcessTransport::leave_registry() noexcept {
  if (!loop_->is_closed()) loop_->local<Children>().remove(shared_from_this());
}

// ---- commands

Coro<int> ProcessTransport::wait(std::shared_ptr<ProcessTransport> self) {
  if (!self->returncode_) {
    net::detail::ListWait exit(self->exits_);
    co_await exit;
  }
  co_return *self->returncode_;
}

void ProcessTransport::close() {
  if (std::exchange(closed_, true)) return;
  for (Descriptor& end : ends_) end.close();
  for (const auto& protocol : pipes_) {
    if (protocol && protocol->pipe && !protocol->disconnected) protocol->pipe->close();
  }
  if (!child_ || returncode_ || !child_->running()) return;
  if (loop_->get_debug()) {
    log(LogLevel::warning, "brio.os", "Close running child process: kill " + repr());
  }
  try {
    child_->send_signal(SIGKILL);
  } catch (const PermissionError&) {
    // It has other rights than we; it is reaped when it ends by itself.
  }
}

void ProcessTransport::abandon() noexcept {
  if (!closed_ && !returncode_ && loop_->get_debug()) {
    log(LogLevel::warning, "brio.os", "unclosed transport " + repr());
  }
  closed_ = lost_ = true;
  connecting_ = false;
  for (Descriptor& end : ends_) end.close();
  if (child_) (void)child_->abandon();
  pending_calls_.reset();
  protocol_ = nullptr;
}

void ProcessTransport::send_signal(int signal_number) {
  if (lost_) throw ProcessLookupError(ESRCH, "signal to process " + std::to_string(pid_));
  child_->send_signal(signal_number);
}

void ProcessTransport::terminate() { send_signal(SIGTERM); }
void ProcessTransport::kill() { send_signal(SIGKILL); }

void ProcessTransport::set_protocol(std::shared_ptr<SubprocessProtocol> protocol) {
  if (!protocol) throw TypeError("a transport needs a protocol");
  protocol_ = std::move(protocol);
}

std::any ProcessTransport::get_extra_info(std::string_view name) const {
  if (name == "subprocess") return pid_;
  return {};
}

std::shared_ptr<Transport> ProcessTransport::get_pipe_transport(int fd) const {
  if (fd < 0 || fd > 2) return nullptr;
  const auto& protocol = pipes_[index(fd)];
  return protocol ? protocol->pipe : nullptr;
}

std::string ProcessTransport::repr() const {
  std::string text = "<SubprocessTransport";
  if (closed_) text += " closed";
  text += pid_ != 0 ? " pid=" + std::to_string(pid_) : "";
  if (returncode_) {
    text += " returncode=" + std::to_string(*returncode_);
  } else {
    text += pid_ != 0 ? " running" : " not started";
  }
  constexpr std::array names{" stdin=", " stdout=", " stderr="};
  for (std::size_t fd = 0; fd < 3; ++fd) {
    const auto pipe = get_pipe_transport(static_cast<int>(fd));
    if (!pipe) continue;
    text += names[fd] + static_cast<const PipeTransport&>(*pipe).repr();
  }
  return text + ">";
}

Coro<SubprocessPair> start_subprocess(SubprocessFactory factory, Command command,
                                      SubprocessOptions options) {
  check(options);
  EventLoop& loop = get_running_loop();
  for (Stdio* stream : {&options.stdin, &options.stdout, &options.stderr}) {
    if (stream->kind() == Kind::by_default) *stream = subprocess::PIPE;
  }
  auto protocol = factory();
  const std::string what =
      (command.shell ? "run shell command '" : "execute program '") + command.words.front() + "'";
  if (loop.get_debug()) log_start(what, options);
  const auto transport =
      co_await ProcessTransport::start(loop, protocol, std::move(command), std::move(options));
  if (loop.get_debug()) log(LogLevel::info, "brio.os", what + ": " + transport->repr());
  co_return SubprocessPair{transport, std::move(protocol)};
}

}  // namespace os::detail
}  // namespace brio
