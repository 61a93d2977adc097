#include <brio/os/spawn.hpp>

#include <brio/core/exceptions.hpp>
#include <brio/os/spawn_child.hpp>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <sched.h>
#include <string_view>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#if defined(__SANITIZE_THREAD__)
#define BRIO_SPAWN_BY_FORK 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define BRIO_SPAWN_BY_FORK 1
#endif
#endif

extern char** environ;

namespace brio {

subprocess::Environment::Variables subprocess::Environment::current() {
  Variables variables;
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
    const std::string_view text(*entry);
    const auto equals = text.find('=');
    if (equals != std::string_view::npos && equals > 0) {
      variables.emplace(text.substr(0, equals), text.substr(equals + 1));
    }
  }
  return variables;
}

namespace os::detail {

namespace {

constexpr std::size_t stack_size = 64 * 1024;

void check_text(const std::string& text) {
  if (text.find('\0') != std::string::npos) throw ValueError("embedded null byte");
}

// A C array of C strings, ending with null.
std::vector<char*> pointers_to(const std::vector<std::string>& strings) {
  std::vector<char*> pointers;
  pointers.reserve(strings.size() + 1);
  for (const std::string& text : strings) {
    check_text(text);
    pointers.push_back(const_cast<char*>(text.c_str()));
  }
  pointers.push_back(nullptr);
  return pointers;
}

std::vector<std::string> environment_of(const subprocess::Environment::Variables& variables) {
  std::vector<std::string> entries;
  entries.reserve(variables.size());
  for (const auto& [name, value] : variables) {
    if (name.empty() || name.find('=') != std::string::npos) {
      throw ValueError("illegal environment variable name");
    }
    entries.push_back(name);
    entries.back().append(1, '=').append(value);
  }
  return entries;
}

// Where the program may be: the file itself, or one in each directory of the child's PATH.
std::vector<std::string> candidates(const std::string& program,
                                    const subprocess::Environment& environment) {
  if (program.find('/') != std::string::npos) return {program};
  std::string path = "/bin:/usr/bin";
  if (const auto& variables = environment.variables()) {
    if (const auto found = variables->find("PATH"); found != variables->end()) path = found->second;
  } else if (const char* ours = std::getenv("PATH")) {
    path = ours;
  }
  std::vector<std::string> files;
  for (std::size_t at = 0; at <= path.size();) {
    const std::size_t end = std::min(path.find(':', at), path.size());
    std::string directory = path.substr(at, end - at);
    if (!directory.empty() && directory.back() != '/') directory += '/';
    files.push_back(directory + program);
    at = end + 1;
  }
  return files;
}

// The child's stack, with a page below it that nobody may touch, and above it what both see.
class ChildMemory {
public:
  ChildMemory() {
#ifdef BRIO_SPAWN_BY_FORK
    constexpr int sharing = MAP_SHARED;
#else
    constexpr int sharing = MAP_PRIVATE;
#endif
    base_ = ::mmap(nullptr, stack_size, PROT_READ | PROT_WRITE, sharing | MAP_ANONYMOUS, -1, 0);
    if (base_ == MAP_FAILED) throw_oserror(errno, "mmap of a stack for a child process");
    ::mprotect(base_, static_cast<std::size_t>(::sysconf(_SC_PAGESIZE)), PROT_NONE);
  }
  ChildMemory(const ChildMemory&) = delete;
  ChildMemory& operator=(const ChildMemory&) = delete;
  ~ChildMemory() { ::munmap(base_, stack_size); }

  [[nodiscard]] SpawnPlan::Report* report() const noexcept {
    return reinterpret_cast<SpawnPlan::Report*>(static_cast<char*>(base_) + stack_size - 64);
  }
  [[nodiscard]] void* stack_top() const noexcept { return report(); }

private:
  void* base_;
};

// Every signal stays out of this thread while it lives: a handler must not run in the child.
class SignalsBlocked {
public:
  SignalsBlocked() noexcept {
    const std::uint64_t all = ~std::uint64_t{0};
    ::syscall(SYS_rt_sigprocmask, SIG_SETMASK, &all, &before_, sizeof before_);
  }
  SignalsBlocked(const SignalsBlocked&) = delete;
  SignalsBlocked& operator=(const SignalsBlocked&) = delete;
  ~SignalsBlocked() {
    ::syscall(SYS_rt_sigprocmask, SIG_SETMASK, &before_, nullptr, sizeof before_);
  }
  [[nodiscard]] std::uint64_t before() const noexcept { return before_; }

private:
  std::uint64_t before_ = 0;
};

// The child's pid when it runs the program or has failed, or -1.
pid_t clone_child(SpawnPlan& plan, [[maybe_unused]] const ChildMemory& memory) {
#ifdef BRIO_SPAWN_BY_FORK
  // The thread sanitizer keeps books of both processes in memory of their own: a copy, and we stand
  // still all the same.
  const long pid = ::syscall(SYS_clone, CLONE_VFORK | SIGCHLD, 0, 0, 0, 0);
  if (pid == 0) ::syscall(SYS_exit_group, spawn_child(&plan));
  return static_cast<pid_t>(pid);
#else
  return ::clone(&spawn_child, memory.stack_top(), CLONE_VM | CLONE_VFORK | SIGCHLD, &plan);
#endif
}

[[noreturn]] void throw_failure(const SpawnRequest& request, const SpawnPlan::Report& report,
                                const std::string& program) {
  switch (report.step) {
    case SpawnStep::descriptors:
      throw_oserror(report.error, "passing descriptor " +
                                      std::to_string(request.descriptors[report.map].ours) +
                                      " to '" + program + "'");
    case SpawnStep::directory:
      throw_oserror(report.error, "chdir to '" + request.options.cwd + "'");
    case SpawnStep::session: throw_oserror(report.error, "setsid for '" + program + "'");
    case SpawnStep::group: throw_oserror(report.error, "setpgid for '" + program + "'");
    case SpawnStep::none:
    case SpawnStep::exec: break;
  }
  throw_oserror(report.error, "exec of '" + program + "'");
}

}  // namespace

pid_t spawn(const SpawnRequest& request) {
  const SubprocessOptions& options = request.options;
  const std::string& program =
      options.executable.empty() ? request.arguments.front() : options.executable;
  const std::vector<char*> arguments = pointers_to(request.arguments);
  const std::vector<std::string> files = candidates(program, options.env);
  const std::vector<char*> executables = pointers_to(files);
  std::vector<std::string> variables;
  std::vector<char*> environment;
  if (options.env.variables()) {
    variables = environment_of(*options.env.variables());
    environment = pointers_to(variables);
  }
  check_text(options.cwd);

  std::vector<DescriptorMap> maps = request.descriptors;
  std::vector<int> kept;
  SpawnPlan plan;
  for (const DescriptorMap& map : maps) {
    if (map.theirs > 2) kept.push_back(map.theirs);
    plan.above_all = std::max(plan.above_all, map.theirs + 1);
  }
  std::sort(kept.begin(), kept.end());

  const ChildMemory memory;
  plan.executables = executables.data();
  plan.arguments = arguments.data();
  plan.environment = options.env.variables() ? environment.data() : environ;
  plan.directory = options.cwd.empty() ? nullptr : options.cwd.c_str();
  plan.maps = maps.data();
  plan.map_count = maps.size();
  plan.kept = kept.data();
  plan.kept_count = kept.size();
  plan.close_others = options.close_fds;
  plan.restore_signals = options.restore_signals;
  plan.new_session = options.start_new_session;
  plan.set_group = options.process_group.has_value();
  plan.group = options.process_group.value_or(0);
  plan.set_umask = options.umask.has_value();
  plan.umask = options.umask.value_or(0);
  plan.report = memory.report();

  pid_t pid = -1;
  int error = 0;
  {
    const SignalsBlocked blocked;
    plan.signal_mask = blocked.before();
    pid = clone_child(plan, memory);
    error = errno;
  }
  if (pid < 0) throw_oserror(error, "starting '" + program + "'");
  if (plan.report->step == SpawnStep::none) return pid;
  while (::waitpid(pid, nullptr, 0) < 0 && errno == EINTR) {
  }
  const SpawnPlan::Report report{plan.report->step, plan.report->error, plan.report->map};
  throw_failure(request, report, program);
}

}  // namespace os::detail
}  // namespace brio
