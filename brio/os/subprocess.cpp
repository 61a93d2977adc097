#include <brio/os/subprocess.hpp>

#include <brio/core/gather.hpp>
#include <brio/core/logging.hpp>
#include <brio/os/process_transport.hpp>

#include <utility>

namespace brio {

namespace os::detail {

namespace {

using State = std::shared_ptr<ProcessState>;

// asyncio's SubprocessStreamProtocol.
class SubprocessStreamProtocol final : public SubprocessProtocol {
public:
  explicit SubprocessStreamProtocol(std::size_t limit) : limit_(limit) {}

  void connection_made(std::shared_ptr<SubprocessTransport> transport) override {
    transport_ = std::move(transport);
    output = reader_for(1);
    errors = reader_for(2);
    if (auto pipe = transport_->get_pipe_transport(0)) input.emplace(std::move(pipe), flow_);
  }
  void pipe_data_received(int fd, std::string_view data) override {
    if (const auto& reader = reader_of(fd)) reader->feed_data(data);
  }
  void pipe_connection_lost(int fd, std::exception_ptr exc) override {
    if (fd == 0) {
      if (input) input->close();
      flow_->connection_lost(std::move(exc));
      return;
    }
    if (const auto& reader = reader_of(fd)) {
      reader->set_transport(nullptr);
      reader->state()->paused_ = false;  // there is nobody left to resume
      if (exc) {
        reader->set_exception(std::move(exc));
      } else {
        reader->feed_eof();
      }
      --open_readers_;
    }
    maybe_close_transport();
  }
  void process_exited() override {
    exited_ = true;
    maybe_close_transport();
  }
  void connection_lost(std::exception_ptr exc) override {
    flow_->connection_lost(std::move(exc));
    transport_ = nullptr;
  }
  void pause_writing() override { flow_->pause_writing(); }
  void resume_writing() override { flow_->resume_writing(); }

  std::optional<StreamWriter> input;
  std::optional<StreamReader> output;
  std::optional<StreamReader> errors;

private:
  std::optional<StreamReader> reader_for(int fd) {
    auto pipe = transport_->get_pipe_transport(fd);
    if (!pipe) return std::nullopt;
    StreamReader reader(limit_);
    reader.set_transport(std::move(pipe));
    ++open_readers_;
    return reader;
  }
  [[nodiscard]] const std::optional<StreamReader>& reader_of(int fd) const {
    return fd == 1 ? output : errors;
  }
  void maybe_close_transport() {
    if (open_readers_ > 0 || !exited_ || !transport_) return;
    const auto transport = std::exchange(transport_, nullptr);
    transport->close();
  }

  std::size_t limit_;
  std::shared_ptr<SubprocessTransport> transport_;
  // Not a part of this: the writer that is kept here holds it, and must not hold its own keeper.
  std::shared_ptr<StreamFlowControl> flow_ = std::make_shared<StreamFlowControl>();
  int open_readers_ = 0;
  bool exited_ = false;
};

Coro<subprocess::Process> create(Command command, SubprocessOptions options) {
  using subprocess::INHERIT;
  using subprocess::Stdio;
  for (Stdio* stream : {&options.stdin, &options.stdout, &options.stderr}) {
    if (stream->kind() == Stdio::Kind::by_default) *stream = INHERIT;
  }
  auto protocol = std::make_shared<SubprocessStreamProtocol>(options.limit);
  const auto factory = [&protocol] { return protocol; };
  auto made = co_await start_subprocess(factory, std::move(command), std::move(options));
  auto state = std::make_shared<ProcessState>();
  state->transport = std::static_pointer_cast<ProcessTransport>(std::move(made.first));
  state->input = protocol->input;
  state->output = protocol->output;
  state->errors = protocol->errors;
  co_return subprocess::Process(std::move(state));
}

void debug(const State& state, const std::string& what) {
  if (!state->transport->get_loop().get_debug()) return;
  log(LogLevel::debug, "brio.os",
      "<Process " + std::to_string(state->transport->get_pid()) + "> communicate: " + what);
}

Coro<void> feed_stdin(State state, std::optional<std::string> input) {
  if (!state->input) co_return;
  const StreamWriter writer = *state->input;
  try {
    if (input) {
      debug(state, "feed stdin (" + std::to_string(input->size()) + " bytes)");
      writer.write(*std::move(input));
    }
    co_await writer.drain();
  } catch (const BrokenPipeError& error) {
    debug(state, std::string("stdin got ") + error.what());
  } catch (const ConnectionResetError& error) {
    debug(state, std::string("stdin got ") + error.what());
  }
  debug(state, "close stdin");
  writer.close();
}

Coro<std::optional<std::string>> read_stream(State state, int fd) {
  const std::optional<StreamReader> reader = fd == 1 ? state->output : state->errors;
  if (!reader) co_return std::nullopt;
  const char* name = fd == 1 ? "stdout" : "stderr";
  debug(state, std::string("read ") + name);
  std::string output = co_await reader->read();
  debug(state, std::string("close ") + name);
  state->transport->get_pipe_transport(fd)->close();
  co_return output;
}

[[noreturn]] void throw_no_pipe(const char* stream) {
  throw RuntimeError(std::string(stream) + " of the process is not a PIPE");
}

}  // namespace
}  // namespace os::detail

namespace subprocess {

const StreamWriter& Process::stdin() const {
  if (!state_->input) os::detail::throw_no_pipe("stdin");
  return *state_->input;
}

const StreamReader& Process::stdout() const {
  if (!state_->output) os::detail::throw_no_pipe("stdout");
  return *state_->output;
}

const StreamReader& Process::stderr() const {
  if (!state_->errors) os::detail::throw_no_pipe("stderr");
  return *state_->errors;
}

int Process::pid() const noexcept { return state_->transport->get_pid(); }

std::optional<int> Process::returncode() const noexcept {
  return state_->transport->get_returncode();
}

Coro<int> Process::wait_of(State state) {
  co_return co_await os::detail::ProcessTransport::wait(state->transport);
}

Coro<Output> Process::communicate_of(State state, std::optional<std::string> input) {
  auto [fed, output, errors] =
      co_await gather(os::detail::feed_stdin(state, std::move(input)),
                      os::detail::read_stream(state, 1), os::detail::read_stream(state, 2));
  (void)fed;
  (void)co_await os::detail::ProcessTransport::wait(state->transport);
  co_return Output{std::move(output), std::move(errors)};
}

void Process::send_signal(int signal_number) const {
  state_->transport->send_signal(signal_number);
}
void Process::terminate() const { state_->transport->terminate(); }
void Process::kill() const { state_->transport->kill(); }

std::shared_ptr<SubprocessTransport> Process::transport() const { return state_->transport; }
std::string Process::repr() const { return "<Process " + std::to_string(pid()) + ">"; }

}  // namespace subprocess

Coro<subprocess::Process> create_subprocess_exec(std::string program,
                                                 std::vector<std::string> arguments,
                                                 SubprocessOptions options) {
  os::detail::Command command;
  command.words = std::move(arguments);
  command.words.insert(command.words.begin(), std::move(program));
  co_return co_await os::detail::create(std::move(command), std::move(options));
}

Coro<subprocess::Process> create_subprocess_shell(std::string command, SubprocessOptions options) {
  os::detail::Command line;
  line.words.push_back(std::move(command));
  line.shell = true;
  co_return co_await os::detail::create(std::move(line), std::move(options));
}

}  // namespace brio
