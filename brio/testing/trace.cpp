#include <brio/testing/trace.hpp>

#include <brio/testing/virtual_clock.hpp>

#include <cxxabi.h>

#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>

namespace brio::testing::trace {

Boom::~Boom() = default;
Bang::~Bang() = default;
Halt::~Halt() = default;

// ---- environment and clock

namespace {

bool virtual_wanted() {
  const char* value = std::getenv("SEM_CLOCK");
  return value && std::strcmp(value, "virtual") == 0;
}

bool is_virtual = virtual_wanted();

// The simulated clock of the newest loop. A scenario reads it also when the loop is gone.
std::shared_ptr<VirtualTime> clock_now;

// 2**-24 seconds: as in the Python kit every reading advances the clock a little, so that timers
// made one after the other have different deadlines, as on a real clock.
constexpr Duration tick{60};

}  // namespace

Duration detail::unit_from_environment() {
  double seconds = 1.0 / 32;
  if (const char* value = std::getenv("SEM_UNIT")) {
    const char* end = value + std::strlen(value);
    if (std::from_chars(value, end, seconds).ec != std::errc() || !(seconds > 0)) {
      std::fprintf(stderr, "SEM_UNIT is not a number of seconds: %s\n", value);
      std::exit(2);  // NOLINT(concurrency-mt-unsafe): before any thread
    }
  }
  return Duration(static_cast<Duration::rep>(seconds * 1e9));
}

void real_time() noexcept { is_virtual = false; }

LoopPtr new_loop() {
  // NOLINTNEXTLINE(concurrency-mt-unsafe): a scenario has no other thread yet
  if (const char* engine = std::getenv("SEM_LOOP")) ::setenv("BRIO_LOOP", engine, 1);
  set_log_hook([](const LogRecord&) {});
  if (!is_virtual) return new_event_loop();
  LoopPtr loop = virtual_loop({.tick = tick});
  clock_now = virtual_clock(*loop).time();
  return loop;
}

void detail::block_for(Duration time) {
  if (is_virtual && clock_now)
    clock_now->now += time;
  else
    std::this_thread::sleep_for(time);
}

TimePoint detail::read_clock() {
  if (is_virtual && clock_now) return clock_now->now += tick;
  return std::chrono::steady_clock::now();
}

// ---- the trace

namespace {
std::mutex sink_mutex;
std::vector<std::string>* sink = nullptr;  // of captured()
}  // namespace

void emit(std::string_view line) {
  const std::lock_guard lock(sink_mutex);
  if (sink) {
    sink->emplace_back(line);
    return;
  }
  std::fwrite(line.data(), 1, line.size(), stdout);
  std::fputc('\n', stdout);
  std::fflush(stdout);
}

std::vector<std::string> captured(const std::function<void()>& function) {
  std::vector<std::string> lines;
  struct Restore {
    std::vector<std::string>* before;
    ~Restore() {
      const std::lock_guard lock(sink_mutex);
      sink = before;
    }
  };
  {
    std::unique_lock lock(sink_mutex);
    const Restore restore{std::exchange(sink, &lines)};
    lock.unlock();
    function();
  }
  return lines;
}

Coro<> ticks(int n) {
  for (int i = 0; i < n; ++i) co_await yield_now();
}

std::string detail::handler_kind(std::string_view message) {
  static constexpr std::pair<std::string_view, std::string_view> kinds[] = {
      {"never retrieved", "unretrieved"},
      {"destroyed but it is pending", "pending-destroyed"},
      {"xception in callback", "callback"},
      {"shielded future", "shielded"},
      {"run() shutdown", "run-shutdown"},
      {"client_connected_cb", "client-cb"},
      {"data_received", "data-received"},
      {"buffer_updated", "buffer-updated"},
      {"error in exception handler", "handler-failed"},
  };
  for (const auto& [part, word] : kinds)
    if (message.find(part) != std::string_view::npos) return std::string(word);
  return "other";
}

void trap(EventLoop* loop) {
  (loop ? *loop : get_running_loop())
      .set_exception_handler([](EventLoop&, const ExceptionContext& context) {
        ev("HANDLER", detail::handler_kind(context.message), nm(context.exception));
      });
}

// ---- names of errors

namespace {

// The class without its namespaces, and without the arguments of a template.
std::string unqualified(std::string name) {
  name = name.substr(0, name.find('<'));
  const std::size_t colon = name.rfind("::");
  return colon == std::string::npos ? name : name.substr(colon + 2);
}

std::string with_text(std::string name, const std::string& text) {
  return text.empty() ? name : name + "(" + text + ")";
}

bool is_base(const std::exception_ptr& error) {
  if (brio::detail::classify(error) != brio::detail::ErrorKind::ordinary) return true;
  try {
    std::rethrow_exception(error);
  } catch (const ExceptionGroup& group) {
    for (const std::exception_ptr& member : group.exceptions())
      if (is_base(member)) return true;
    return false;
  } catch (const GeneratorExit&) {
    return true;
  } catch (...) {
    return false;
  }
}

}  // namespace

std::string detail::name_of(const std::type_info& type, const std::string& text) {
  int status = 0;
  const std::unique_ptr<char, decltype(&std::free)> name(
      abi::__cxa_demangle(type.name(), nullptr, nullptr, &status), &std::free);
  return with_text(unqualified(status == 0 ? name.get() : type.name()), text);
}

std::string nm(const CancelledError& error) {
  return with_text("CancelledError", error.message().value_or(""));
}

// Python makes an ExceptionGroup if all members are Exceptions, else a BaseExceptionGroup.
std::string nm(const ExceptionGroup& group) {
  bool base = false;
  std::string members;
  for (const std::exception_ptr& member : group.exceptions()) {
    base = base || is_base(member);
    members += (members.empty() ? "" : " ") + nm(member);
  }
  return (base ? "BaseGroup[" : "Group[") + members + "]";
}

std::string nm(const std::exception_ptr& error) {
  if (!error) return "none";
  try {
    std::rethrow_exception(error);
  } catch (const ExceptionGroup& e) {
    return nm(e);
  } catch (const CancelledError& e) {
    return nm(e);
  } catch (const Boom& e) {
    return nm(e);
  } catch (const Bang& e) {
    return nm(e);
  } catch (const Halt& e) {
    return nm(e);
  } catch (...) {
    return unqualified(type_name(error));
  }
}

// ---- log

namespace {
LogCapture* capture = nullptr;
LogHook hook_before = nullptr;
}  // namespace

LogCapture::LogCapture(LogLevel level) : level_(level) {
  capture = this;
  hook_before = set_log_hook(&LogCapture::take);
}

LogCapture::~LogCapture() {
  set_log_hook(hook_before);
  capture = nullptr;
}

void LogCapture::take(const LogRecord& record) {
  if (capture && record.level >= capture->level_)
    capture->records.push_back({record.level, std::string(record.message)});
}

std::string level_name(LogLevel level) {
  switch (level) {
    case LogLevel::debug: return "DEBUG";
    case LogLevel::info: return "INFO";
    case LogLevel::warning: return "WARNING";
    case LogLevel::error: return "ERROR";
    case LogLevel::critical: return "CRITICAL";
  }
  return "";
}

// ---- sockets

namespace {
[[noreturn]] void failed(const char* operation) { throw_oserror(errno, operation); }
}  // namespace

std::size_t Sock::send(std::string_view data) const {
  const ssize_t count = ::send(fd_, data.data(), data.size(), MSG_NOSIGNAL);
  if (count < 0) failed("send");
  return static_cast<std::size_t>(count);
}

std::string Sock::recv(std::size_t size) const {
  std::string data(size, '\0');
  const ssize_t count = ::recv(fd_, data.data(), size, 0);
  if (count < 0) failed("recv");
  data.resize(static_cast<std::size_t>(count));
  return data;
}

void Sock::shutdown(int how) const {
  if (::shutdown(fd_, how) < 0) failed("shutdown");
}

void Sock::close() noexcept {
  if (fd_ >= 0) ::close(std::exchange(fd_, -1));
}

std::pair<Sock, Sock> pair() {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) < 0)
    failed("socketpair");
  return {Sock(ends[0]), Sock(ends[1])};
}

}  // namespace brio::testing::trace
