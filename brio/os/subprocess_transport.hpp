// Child processes as transport and protocol (loop.subprocess_exec, loop.subprocess_shell). Most
// programs use create_subprocess_exec of brio/os/subprocess.hpp instead.
#pragma once

#include <brio/core/coro.hpp>
#include <brio/net/transport.hpp>
#include <brio/os/subprocess_options.hpp>

#include <concepts>
#include <exception>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace brio {

class SubprocessTransport;

/// What an application is told about a child process (asyncio.SubprocessProtocol). Each default
/// does nothing.
///
/// connection_made comes first and connection_lost last; process_exited may come before, between or
/// after what the pipes bring. pause_writing and resume_writing are about the child's stdin.
class BRIO_API SubprocessProtocol : public BaseProtocol {
public:
  /// The child runs and its pipes stand.
  virtual void connection_made(std::shared_ptr<SubprocessTransport> transport);
  /// The child wrote `data` to `fd`, 1 or 2. Valid until this call returns.
  virtual void pipe_data_received(int fd, std::string_view data);
  /// The pipe of `fd` is closed; `exc` is null after a regular end.
  virtual void pipe_connection_lost(int fd, std::exception_ptr exc);
  /// The child has ended; get_returncode() tells how. Pipes may still bring data.
  virtual void process_exited();
};

/// A child process (asyncio.SubprocessTransport). The loop keeps it alive until connection_lost;
/// dropping the handle does not end the child, closing the loop does.
class BRIO_API SubprocessTransport : public BaseTransport {
public:
  /// Closes the pipes, and kills the child if it still runs. process_exited and connection_lost
  /// follow.
  void close() override = 0;
  /// As close().
  void abort() override { close(); }
  /// The process id.
  [[nodiscard]] virtual int get_pid() const noexcept = 0;
  /// How the child ended: its exit status, or the negative number of the signal that ended it;
  /// nothing while it runs. 255 if somebody else has waited for it.
  [[nodiscard]] virtual std::optional<int> get_returncode() const noexcept = 0;
  /// The transport of the child's 0, 1 or 2; null if that is no PIPE.
  [[nodiscard]] virtual std::shared_ptr<Transport> get_pipe_transport(int fd) const = 0;
  /// kill(2). Does nothing to a child that has ended, until connection_lost; from then on it throws
  /// ProcessLookupError. Throws PermissionError for a child that runs with other rights.
  virtual void send_signal(int signal_number) = 0;
  /// SIGTERM, as send_signal.
  virtual void terminate() = 0;
  /// SIGKILL, as send_signal.
  virtual void kill() = 0;

  /// Hands the child to another protocol; neither is told.
  virtual void set_protocol(std::shared_ptr<SubprocessProtocol> protocol) = 0;
  /// The protocol in charge; null after connection_lost.
  [[nodiscard]] virtual std::shared_ptr<SubprocessProtocol> get_protocol() const = 0;
  /// For logs: "<SubprocessTransport pid=71 running stdout=<ReadPipeTransport fd=9 polling>>".
  [[nodiscard]] virtual std::string repr() const = 0;
};

namespace os::detail {

/// What to run: a program with arguments, or a command line for the shell.
struct Command {
  std::vector<std::string> words;
  bool shell = false;
};

using SubprocessFactory = brio::detail::UniqueFunction<std::shared_ptr<SubprocessProtocol>()>;
using SubprocessPair =
    std::pair<std::shared_ptr<SubprocessTransport>, std::shared_ptr<SubprocessProtocol>>;

BRIO_API Coro<SubprocessPair> start_subprocess(SubprocessFactory factory, Command command,
                                               SubprocessOptions options);

template <class Factory>
concept MakesSubprocessProtocol = requires(Factory& factory) {
  { factory() } -> std::convertible_to<std::shared_ptr<SubprocessProtocol>>;
};

/// What subprocess_exec gives.
template <class Factory>
using Subprocess = std::pair<std::shared_ptr<SubprocessTransport>,
                             std::shared_ptr<net::detail::made_protocol<Factory>>>;

template <class Factory>
Coro<Subprocess<Factory>> start_typed(Factory factory, Command command, SubprocessOptions options) {
  auto made = co_await start_subprocess(std::move(factory), std::move(command), std::move(options));
  using P = net::detail::made_protocol<Factory>;
  co_return Subprocess<Factory>(std::move(made.first),
                                std::static_pointer_cast<P>(std::move(made.second)));
}

}  // namespace os::detail

/// Starts `program` with `arguments` and the protocol that `factory()` makes (a
/// std::shared_ptr<P>). Gives transport and protocol when the program runs and its pipes stand.
/// The standard streams are PIPEs unless the options say otherwise.
///
/// Throws FileNotFoundError, PermissionError or another OSError that names the program or the
/// directory, ValueError for options that contradict each other. The thread stands still until the
/// program is loaded. Cancellation kills the child and waits until it is gone.
template <os::detail::MakesSubprocessProtocol Factory>
BRIO_CORO_WRAPPER Coro<os::detail::Subprocess<Factory>> subprocess_exec(
    Factory factory, std::string program, std::vector<std::string> arguments = {},
    SubprocessOptions options = {}) {
  arguments.insert(arguments.begin(), std::move(program));
  return os::detail::start_typed(std::move(factory), os::detail::Command{std::move(arguments)},
                                 std::move(options));
}

/// The same for a command line of /bin/sh. What comes from outside must be quoted, or go through
/// subprocess_exec.
template <os::detail::MakesSubprocessProtocol Factory>
BRIO_CORO_WRAPPER Coro<os::detail::Subprocess<Factory>> subprocess_shell(
    Factory factory, std::string command, SubprocessOptions options = {}) {
  return os::detail::start_typed(
      std::move(factory), os::detail::Command{{std::move(command)}, true}, std::move(options));
}

}  // namespace brio
