// Child processes with streams (asyncio.create_subprocess_exec and asyncio.subprocess).
//
//     using brio::subprocess::PIPE;
//     auto process = co_await brio::create_subprocess_exec("sort", {"-r"},
//                                                          {.stdin = PIPE, .stdout = PIPE});
//     auto [out, err] = co_await process.communicate("a\nb\n");      // "b\na\n", nothing
//     const int status = *process.returncode();                      // 0
#pragma once

#include <brio/net/stream_reader.hpp>
#include <brio/net/stream_writer.hpp>
#include <brio/os/subprocess_transport.hpp>

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace brio {

namespace os::detail {
class ProcessTransport;

/// What the handles of one Process share.
struct ProcessState {
  std::shared_ptr<ProcessTransport> transport;
  std::optional<StreamWriter> input;
  std::optional<StreamReader> output;
  std::optional<StreamReader> errors;
};
}  // namespace os::detail

namespace subprocess {

/// What a child has written to stdout and to stderr; nothing for a stream that is no PIPE.
using Output = std::pair<std::optional<std::string>, std::optional<std::string>>;

/// A child process (asyncio.subprocess.Process). A handle: copies name the same child. Dropping it
/// leaves the child running; closing the loop kills what still runs.
class BRIO_API Process {
public:
  /// The stream to the child's standard input. Throws RuntimeError unless stdin is a PIPE.
  [[nodiscard]] const StreamWriter& stdin() const;
  /// The stream from its standard output. Throws RuntimeError unless stdout is a PIPE.
  [[nodiscard]] const StreamReader& stdout() const;
  /// The stream from its standard error. Throws RuntimeError unless stderr is a PIPE.
  [[nodiscard]] const StreamReader& stderr() const;
  /// The process id.
  [[nodiscard]] int pid() const noexcept;
  /// Its exit status, or the negative number of the signal that ended it; nothing until the loop
  /// has learnt of its end. 255 if somebody else has waited for it.
  [[nodiscard]] std::optional<int> returncode() const noexcept;

  /// Waits until the child has ended and gives its return code. Any number of tasks may wait, and
  /// again. With PIPEs a child that writes more than they hold waits for a reader: use
  /// communicate(). A cancelled wait changes nothing for the child.
  [[nodiscard]] BRIO_CORO_WRAPPER Coro<int> wait() const { return wait_of(state_); }
  /// Writes `input` to stdin, closes it, reads stdout and stderr to their ends and waits for the
  /// child's. A child that closes its stdin early is no error. `input` is dropped where stdin is no
  /// PIPE. Cancelled, by a timeout for instance, it leaves the child running, stdin open and what
  /// was not read yet to the next reader.
  [[nodiscard]] BRIO_CORO_WRAPPER Coro<Output> communicate(
      std::optional<std::string> input = std::nullopt) const {
    return communicate_of(state_, std::move(input));
  }
  /// kill(2). Does nothing to a child that has ended; ProcessLookupError once its pipes are closed
  /// too. Throws PermissionError for a child that runs with other rights.
  void send_signal(int signal_number) const;
  /// SIGTERM, as send_signal.
  void terminate() const;
  /// SIGKILL, as send_signal.
  void kill() const;

  /// The transport beneath.
  [[nodiscard]] std::shared_ptr<SubprocessTransport> transport() const;
  /// "<Process 1234>".
  [[nodiscard]] std::string repr() const;

  explicit Process(std::shared_ptr<os::detail::ProcessState> state) noexcept
      : state_(std::move(state)) {}

private:
  using State = std::shared_ptr<os::detail::ProcessState>;
  static Coro<int> wait_of(State state);
  static Coro<Output> communicate_of(State state, std::optional<std::string> input);
  State state_;
};

}  // namespace subprocess

/// Starts `program` with `arguments`, without a shell. The standard streams are ours unless the
/// options say otherwise. Throws and is cancelled as subprocess_exec.
[[nodiscard]] BRIO_API Coro<subprocess::Process> create_subprocess_exec(
    std::string program, std::vector<std::string> arguments = {}, SubprocessOptions options = {});

/// Runs a command line of /bin/sh. What comes from outside must be quoted, or go through
/// create_subprocess_exec.
[[nodiscard]] BRIO_API Coro<subprocess::Process> create_subprocess_shell(
    std::string command, SubprocessOptions options = {});

}  // namespace brio
