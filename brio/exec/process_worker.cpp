// How a worker process is started, and how it ended.
#include <brio/exec/process_worker.hpp>

#include <brio/exec/code_address.hpp>

#include <atomic>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <dirent.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio_ext.h>
#include <string_view>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

namespace brio {

namespace {

std::atomic<bool> freeze_support_called{false};

constexpr const char* worker_argument = "--brio-worker";

// Whatever happens, no worker outlives the pool: the end of the channel ends one that waits, and
// this one that works. False if the parent is gone already.
bool die_with_parent(pid_t parent) noexcept {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  return ::getppid() == parent;
}

// The terminal's input is the parent's.
void close_standard_input() noexcept {
  const int null = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  if (null < 0) return;
  ::dup2(null, STDIN_FILENO);
  if (null != STDIN_FILENO) ::close(null);
}

// What the handlers are about is not here. As exec does it: ignored stays ignored.
void reset_signals() noexcept {
  for (int number = 1; number < NSIG; ++number) {
    struct sigaction action{};
    if (::sigaction(number, nullptr, &action) != 0 || action.sa_handler == SIG_IGN) continue;
    action = {};
    action.sa_handler = SIG_DFL;
    ::sigaction(number, &action, nullptr);
  }
  sigset_t none;
  sigemptyset(&none);
  ::pthread_sigmask(SIG_SETMASK, &none, nullptr);
}

// As exec does it. A connection that the parent closes must not stay open because a worker has it
// too, and a worker must not keep another one's channel.
void close_on_exec_descriptors(int but) noexcept {
  DIR* const directory = ::opendir("/proc/self/fd");
  if (!directory) return;
  std::vector<int> descriptors;
  while (const dirent* entry = ::readdir(directory)) {
    const int fd = std::atoi(entry->d_name);
    if (fd > 2 && fd != but && fd != ::dirfd(directory)) descriptors.push_back(fd);
  }
  ::closedir(directory);
  for (const int fd : descriptors) {
    const int flags = ::fcntl(fd, F_GETFD);
    if (flags >= 0 && (flags & FD_CLOEXEC) != 0) ::close(fd);
  }
}

[[noreturn]] void forked_worker(int channel, pid_t parent, std::size_t max_message_size) noexcept {
  if (!die_with_parent(parent)) ::_exit(1);
  reset_signals();
  close_on_exec_descriptors(channel);
  close_standard_input();
  // What the parent had not written yet is the parent's.
  ::__fpurge(stdout);
  ::__fpurge(stderr);
  const int status = detail::serve_calls(channel, max_message_size);
  // Not exit(): what is registered there belongs to the parent.
  std::fflush(stdout);
  std::fflush(stderr);
  ::_exit(status);
}

pid_t spawn_worker(int channel, std::size_t max_message_size) {
  // The child's end of the channel is put at its own number, which takes close-on-exec away.
  posix_spawn_file_actions_t files;
  posix_spawnattr_t attributes;
  if (::posix_spawn_file_actions_init(&files) != 0) throw std::bad_alloc();
  ::posix_spawnattr_init(&attributes);
  ::posix_spawn_file_actions_adddup2(&files, channel, channel);
  sigset_t none;
  sigemptyset(&none);
  ::posix_spawnattr_setsigmask(&attributes, &none);
  ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
  std::string what = std::to_string(channel) + "," + std::to_string(::getpid()) + "," +
                     std::to_string(max_message_size);
  std::string flag = worker_argument;
  char* const arguments[] = {program_invocation_name, flag.data(), what.data(), nullptr};
  pid_t pid = -1;
  const int error = ::posix_spawn(&pid, "/proc/self/exe", &files, &attributes, arguments, environ);
  ::posix_spawn_file_actions_destroy(&files);
  ::posix_spawnattr_destroy(&attributes);
  if (error != 0) throw_oserror(error, "start a worker process");
  return pid;
}

// "<channel>,<parent>,<max_message_size>"
struct WorkerArgument {
  int channel = -1;
  pid_t parent = -1;
  std::size_t max_message_size = 0;
};

template <class T>
bool parse_number(std::string_view& text, T& number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc()) return false;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  if (text.starts_with(',')) text.remove_prefix(1);
  return true;
}

[[noreturn]] void spawned_worker(std::string_view text) {
  WorkerArgument argument;
  if (!parse_number(text, argument.channel) || !parse_number(text, argument.parent) ||
      !parse_number(text, argument.max_message_size) || !text.empty() ||
      ::fcntl(argument.channel, F_SETFD, FD_CLOEXEC) != 0) {
    std::fprintf(stderr, "brio: %s is for the worker processes of a pool\n", worker_argument);
    std::exit(2);  // NOLINT(concurrency-mt-unsafe): there is one thread
  }
  if (!die_with_parent(argument.parent)) ::_exit(1);
  close_standard_input();
  // NOLINTNEXTLINE(concurrency-mt-unsafe): ended as any program
  std::exit(detail::serve_calls(argument.channel, argument.max_message_size));
}

}  // namespace

void freeze_support(int argc, char** argv) {
  freeze_support_called.store(true);
  if (argc == 3 && std::strcmp(argv[1], worker_argument) == 0) spawned_worker(argv[2]);
}

namespace detail {

bool can_spawn() noexcept { return freeze_support_called.load(); }

void OwnedFd::reset() noexcept {
  if (fd_ >= 0) ::close(std::exchange(fd_, -1));
}

PoolProcess start_worker(StartMethod method, std::size_t max_message_size) {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
    throw_oserror(errno, "start a worker process");
  OwnedFd theirs(ends[1]);
  PoolProcess worker;
  worker.channel = OwnedFd(ends[0]);
  // Ours alone is non-blocking.
  ::fcntl(ends[0], F_SETFL, O_NONBLOCK);
  if (method == StartMethod::spawn) {
    worker.pid = spawn_worker(theirs.get(), max_message_size);
  } else {
    const pid_t parent = ::getpid();
    std::vector<Module> modules = loaded_modules();
    worker.pid = ::fork();
    if (worker.pid == 0) {
      set_known_modules(std::move(modules));
      forked_worker(theirs.get(), parent, max_message_size);
    }
    if (worker.pid < 0) throw_oserror(errno, "start a worker process");
  }
  worker.pidfd = OwnedFd(static_cast<int>(::syscall(SYS_pidfd_open, worker.pid, 0)));
  if (!worker.pidfd && (errno == EMFILE || errno == ENFILE || errno == ENOMEM)) {
    const int error = errno;
    send_signal(worker, SIGKILL);
    (void)reap(worker);
    throw_oserror(error, "start a worker process");
  }
  return worker;
}

void send_signal(const PoolProcess& worker, int signal) noexcept {
  // By pidfd, if there is one: should somebody else have reaped it, nobody is hit.
  if (worker.pidfd)
    ::syscall(SYS_pidfd_send_signal, worker.pidfd.get(), signal, nullptr, 0);
  else
    ::kill(worker.pid, signal);
}

WorkerEnd reap(const PoolProcess& worker) noexcept {
  siginfo_t info{};
  int result = -1;
  do {
    result = ::waitid(P_PID, static_cast<id_t>(worker.pid), &info, WEXITED);
  } while (result != 0 && errno == EINTR);
  // SIGCHLD is ignored, or somebody waits for all children there are.
  if (result != 0) return {.clean = true, .text = "ended, and its exit status was lost"};
  const int status = info.si_status;
  if (info.si_code == CLD_EXITED)
    return {.clean = status == 0, .text = "exited with status " + std::to_string(status)};
  const char* const name = ::sigdescr_np(status);
  return {.clean = false,
          .signal = status,
          .text = "was killed by signal " + std::to_string(status) + " (" + (name ? name : "?") +
                  (info.si_code == CLD_DUMPED ? ", core dumped)" : ")")};
}

}  // namespace detail

}  // namespace brio
