// brio's side in test_dns.py: look-ups, told what to do by words "name=value".
//
//     peer_dns resolve host=… [family=4|6] [canonname=1] [times=N] [timeout=MS]
//     peer_dns name address=…
//     peer_dns connect host=… port=… [stagger=MS] [timeout=MS]
//     peer_dns flood names=N timeout=MS host=…
//
// "times" makes equal look-ups at once. "flood" gives up N look-ups of different names in
// silent.test after the timeout, counts the threads that this took, and then looks up `host`.
#include <brio/core/runner.hpp>
#include <brio/core/task.hpp>
#include <brio/core/timeouts.hpp>
#include <brio/net/resolver.hpp>
#include <brio/net/streams.hpp>

#include <chrono>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <fstream>
#include <map>
#include <netdb.h>
#include <string>
#include <unistd.h>
#include <vector>

using namespace brio;

namespace {

using Words = std::map<std::string, std::string>;
using Answers = std::vector<net::AddrInfo>;

std::string word(const Words& words, const std::string& name, const std::string& fallback = {}) {
  const auto found = words.find(name);
  return found == words.end() ? fallback : found->second;
}

std::optional<Duration> milliseconds(const Words& words, const std::string& name) {
  if (!words.contains(name)) return std::nullopt;
  return std::chrono::milliseconds(std::stoi(word(words, name)));
}

std::string told(const std::exception_ptr& error) {
  std::string code;
  try {
    std::rethrow_exception(error);
  } catch (const gaierror& e) {
    code = " " + std::to_string(e.code().value());
  } catch (...) {
  }
  return type_name(error) + code + ": " + describe(error);
}

std::string told(const Outcome<Answers>& outcome) {
  if (!outcome) return told(outcome.error());
  std::string text;
  for (const net::AddrInfo& answer : outcome.value()) text += answer.address.host() + " ";
  const std::string& canonname = outcome.value().front().canonname;
  if (!canonname.empty()) text += "canonname " + canonname;
  return text;
}

Coro<> resolve(Words words) {
  net::AddrInfoHints hints{.type = SOCK_STREAM};
  if (word(words, "family") == "4") hints.family = AF_INET;
  if (word(words, "family") == "6") hints.family = AF_INET6;
  if (words.contains("canonname")) hints.flags = AI_CANONNAME;
  std::vector<Task<Answers>> tasks;
  for (int i = std::stoi(word(words, "times", "1")); i > 0; --i) {
    tasks.push_back(create_task(
        wait_for(getaddrinfo(word(words, "host"), "80", hints), milliseconds(words, "timeout"))));
  }
  for (const Task<Answers>& task : tasks) std::puts(told(co_await as_outcome(task)).c_str());
}

Coro<> name(Words words) {
  const auto outcome =
      co_await as_outcome(getnameinfo(net::SocketAddress::ip(word(words, "address"), 80)));
  std::puts(outcome ? outcome.value().first.c_str() : told(outcome.error()).c_str());
}

Coro<> connect(Words words) {
  ConnectionOptions options;
  options.happy_eyeballs_delay = milliseconds(words, "stagger");
  const auto outcome = co_await as_outcome(wait_for(
      open_connection(word(words, "host"), std::stoi(word(words, "port")), std::move(options)),
      milliseconds(words, "timeout")));
  if (!outcome) {
    std::puts(told(outcome.error()).c_str());
    co_return;
  }
  const StreamWriter& writer = outcome.value().second;
  const auto peer = writer.get_extra_info<net::SocketAddress>("peername");
  std::printf("connected to %s\n", peer ? peer->host().c_str() : "nobody");
  writer.close();
}

// The default executor's: those that look names up.
int resolver_threads() {
  int count = 0;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/task")) {
    std::string comm;
    std::ifstream(entry.path() / "comm") >> comm;
    const bool main = entry.path().filename() == std::to_string(::getpid());
    if (!main && comm.starts_with("brio")) ++count;
  }
  return count;
}

Coro<> flood(Words words) {
  std::vector<Task<Answers>> tasks;
  for (int i = std::stoi(word(words, "names")); i > 0; --i) {
    tasks.push_back(create_task(
        wait_for(getaddrinfo("n" + std::to_string(i) + ".silent.test", "80", {.type = SOCK_STREAM}),
                 milliseconds(words, "timeout"))));
  }
  int timeouts = 0;
  for (const Task<Answers>& task : tasks) {
    const auto outcome = co_await as_outcome(task);
    if (outcome.error_as<TimeoutError>()) ++timeouts;
  }
  std::printf("timeouts %d\nthreads %d\n", timeouts, resolver_threads());
  std::puts(told(co_await as_outcome(getaddrinfo("127.0.0.1", "80"))).c_str());
  std::puts(told(co_await as_outcome(getaddrinfo(word(words, "host"), "80", {.type = SOCK_STREAM})))
                .c_str());
}

}  // namespace

int main(int argc, char** argv) {
  try {
    Words words;
    for (int i = 2; i < argc; ++i) {
      const std::string text = argv[i];
      const std::size_t equals = text.find('=');
      words[text.substr(0, equals)] = text.substr(equals + 1);
    }
    const std::string command = argc > 1 ? argv[1] : "";
    if (command == "resolve") run(resolve(std::move(words)));
    if (command == "name") run(name(std::move(words)));
    if (command == "connect") run(connect(std::move(words)));
    if (command == "flood") run(flood(std::move(words)));
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "error: %s\n", error.what());
    return 1;
  }
}
