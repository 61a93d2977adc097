// How a child process is to be started: where its standard streams go, what it inherits.
#pragma once

#include <brio/core/config.hpp>
#include <brio/net/connection.hpp>
#include <brio/os/descriptor.hpp>

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <map>
#include <optional>
#include <string>
#include <sys/types.h>
#include <utility>
#include <vector>

namespace brio {

namespace subprocess {

/// Where one of a child's standard streams goes: PIPE, STDOUT, DEVNULL, INHERIT, or a descriptor of
/// ours, which is lent: the caller goes on to own it and may close it once the child has started.
class BRIO_API Stdio {
public:
  /// What a Stdio can be.
  enum class Kind : std::uint8_t { by_default, inherit, pipe, stdout_too, devnull, descriptor };

  /// What the function has for a default: PIPE for subprocess_exec, INHERIT for
  /// create_subprocess_exec.
  constexpr Stdio() noexcept = default;
  constexpr Stdio(int fd) noexcept : kind_(Kind::descriptor), fd_(fd) {}
  Stdio(const os::Descriptor& descriptor) noexcept : Stdio(descriptor.fileno()) {}
  Stdio(const net::Socket& socket) noexcept : Stdio(socket.fileno()) {}
  constexpr explicit Stdio(Kind kind) noexcept : kind_(kind) {}

  /// What it is.
  [[nodiscard]] constexpr Kind kind() const noexcept { return kind_; }
  /// The descriptor lent, -1 for the other kinds.
  [[nodiscard]] constexpr int fd() const noexcept { return fd_; }

private:
  Kind kind_ = Kind::by_default;
  int fd_ = -1;
};

/// A pipe to the child, with a transport or stream at our end.
inline constexpr Stdio PIPE{Stdio::Kind::pipe};
/// For stderr only: where stdout goes.
inline constexpr Stdio STDOUT{Stdio::Kind::stdout_too};
/// /dev/null.
inline constexpr Stdio DEVNULL{Stdio::Kind::devnull};
/// Ours (Python's None).
inline constexpr Stdio INHERIT{Stdio::Kind::inherit};

/// A child's whole environment: ours by default, or the variables given and no others.
///
///     {.env = {{"PATH", "/usr/bin"}, {"LANG", "C"}}}
///
///     auto env = brio::subprocess::Environment::current();     // ours with a change
///     env["LANG"] = "C";
class BRIO_API Environment {
public:
  /// Names and values.
  using Variables = std::map<std::string, std::string>;

  /// Ours.
  Environment() noexcept = default;
  Environment(Variables variables) : variables_(std::move(variables)) {}
  Environment(std::initializer_list<Variables::value_type> variables) : variables_(variables) {}

  /// A copy of the variables of this process. Not while another thread changes them.
  [[nodiscard]] static Variables current();
  /// Nothing for ours.
  [[nodiscard]] const std::optional<Variables>& variables() const noexcept { return variables_; }

private:
  std::optional<Variables> variables_;
};

/// A descriptor that the child gets beside its standard streams, under the same number or another.
struct PassedDescriptor {
  PassedDescriptor(int fd) noexcept : ours(fd), theirs(fd) {}
  PassedDescriptor(int our_number, int their_number) noexcept
      : ours(our_number), theirs(their_number) {}
  int ours;    ///< its number here
  int theirs;  ///< its number in the child
};

}  // namespace subprocess

/// Keyword arguments of create_subprocess_exec, subprocess_exec and their shell forms.
///
/// There is no preexec_fn: in a child that shares its parent's memory until it executes, no code
/// but the runtime's own may run. What it is mostly used for has an option here.
struct SubprocessOptions {
  subprocess::Stdio stdin = {};   ///< see subprocess::Stdio
  subprocess::Stdio stdout = {};  ///< see subprocess::Stdio
  subprocess::Stdio stderr = {};  ///< see subprocess::Stdio
  /// The limit of the StreamReaders, for create_subprocess_exec.
  std::size_t limit = default_stream_limit;
  /// The child's working directory; "" for ours. A relative program is looked for in it.
  std::string cwd = {};
  /// The child's environment. Its PATH is the one in which the program is looked for.
  subprocess::Environment env = {};
  /// The file to execute in place of the program, which the child then only sees as its argv[0];
  /// for a shell command, the shell.
  std::string executable = {};
  /// The child gets its standard streams and pass_fds and nothing else; false: also what is open
  /// here without close-on-exec.
  bool close_fds = true;
  /// More descriptors for the child: `{.pass_fds = {5, {7, 3}}}` gives it our 5 as 5 and our 7 as
  /// 3. Lent as with Stdio.
  std::vector<subprocess::PassedDescriptor> pass_fds = {};
  /// setsid(2): a session, and so a process group, of its own.
  bool start_new_session = false;
  /// setpgid(2): the process group to join, 0 for a new one. A signal to -pid reaches all of it.
  std::optional<pid_t> process_group = std::nullopt;
  /// umask(2).
  std::optional<mode_t> umask = std::nullopt;
  /// SIGPIPE, SIGXFSZ get their default actions in the child, also where we ignore them.
  bool restore_signals = true;
  /// Bytes only, as in asyncio: true throws ValueError.
  bool text = false;
};

}  // namespace brio
