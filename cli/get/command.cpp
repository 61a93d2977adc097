#include "get/command.hpp"

#include "get/display.hpp"
#include "get/download.hpp"
#include "get/files.hpp"

#include <brio/core/outcome.hpp>
#include <brio/core/runner.hpp>
#include <brio/core/sleep.hpp>
#include <brio/core/taskgroup.hpp>
#include <brio/exec/run_in_executor.hpp>
#include <brio/os/signals.hpp>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <unordered_set>
#include <utility>
#include <vector>

namespace brio::cli {
namespace {

Coro<> tick(Display& display) {
  while (true) {
    display.tick();
    co_await sleep(std::chrono::milliseconds(display.is_live() ? 100 : 1000));
  }
}

// Takes URLs from the front until none is left.
Coro<> work(Downloads& shared, const std::vector<std::string>& urls, std::size_t& next) {
  while (next < urls.size()) co_await download(shared, urls[next++]);
}

Coro<> download_all(Downloads& shared, const std::vector<std::string>& urls) {
  std::size_t next = 0;
  const auto jobs = static_cast<std::size_t>(std::max(shared.options.jobs, 1));
  const auto all = [&](TaskGroup& group) -> Coro<> {
    const auto ticker = group.create_task(tick(shared.display));
    const auto workers = [&](TaskGroup& inner) -> Coro<> {
      for (std::size_t i = 0; i < std::min(jobs, urls.size()); ++i) {
        inner.create_task(work(shared, urls, next));
      }
      co_return;
    };
    auto outcome = co_await as_outcome(task_group(workers));
    ticker.cancel();
    outcome.raise();
  };
  co_await task_group(all);
}

/// How far a run has come on its way out.
struct Ending {
  bool terminated = false;  // by SIGTERM
  bool summed_up = false;
  bool threads_ended = false;
};

Coro<> main_task(const GetOptions& options, Display& display, const ChecksumList* checksums,
                 const std::vector<std::string>& urls, Ending& ending) {
  const AnyTask self = current_task();
  add_signal_handler(SIGTERM, [self, &ending] {
    ending.terminated = true;
    self.cancel();
  });
  http::TCPConnectorOptions connector;
  connector.limit = static_cast<std::size_t>(std::max(options.jobs, 1));
  http::ClientSessionOptions session_options;
  session_options.connector = std::make_shared<http::TCPConnector>(std::move(connector));
  // A download may take its time; a server that is silent may not.
  session_options.timeout = {.total = std::nullopt,
                             .connect = std::nullopt,
                             .sock_connect = options.timeout,
                             .sock_read = options.timeout};
  const auto body = [&](http::ClientSession& session) -> Coro<> {
    RetryPolicy policy;
    policy.retries = options.retries;
    const std::string& folder = options.directory;
    Downloads shared{.options = options,
                     .session = session,
                     .display = display,
                     .names = NameRegistry([&folder](const std::string& name) {
                       return path_exists(folder + "/" + name);
                     }),
                     .policy = policy,
                     .checksums = checksums};
    co_await download_all(shared, urls);
  };
  co_await http::with_session(std::move(session_options), body);
}

// The downloads, the summary, and then the threads, which may hang: a second interruption does not
// wait for them any more.
Coro<> run_to_the_end(const GetOptions& options, Display& display, const ChecksumList* checksums,
                      const std::vector<std::string>& urls, Ending& ending) {
  ThreadPoolExecutor threads({.thread_name_prefix = "brio"});
  const concurrent::Future<void> ended = threads.ended();
  set_default_executor(std::move(threads));
  auto outcome = co_await as_outcome(main_task(options, display, checksums, urls, ending));
  if (outcome.has_value() || outcome.cancelled()) {
    display.summary(outcome.cancelled());
    ending.summed_up = true;
  }
  static_cast<void>(
      co_await as_outcome(get_running_loop().shutdown_default_executor(interrupt_grace)));
  ending.threads_ended = ended.done();
  outcome.raise();
}

// Ends the process without its threads; returning from main() would wait for them.
[[noreturn]] void leave(int status) {
  std::fflush(stdout);
  std::fflush(stderr);
  std::_Exit(status);
}

std::vector<std::string> without_repetitions(const std::vector<std::string>& given) {
  std::vector<std::string> urls;
  std::unordered_set<std::string> seen;
  for (const std::string& url : given) {
    std::string key = url;
    try {
      key = identity(http::URL(url));
    } catch (const http::InvalidURL&) {
      // Its download will say so.
    }
    if (seen.insert(std::move(key)).second) urls.push_back(url);
  }
  return urls;
}

}  // namespace

int run_get(const GetOptions& options) {
  // A file that reaches the limit of sizes is an error like another, not the end of the process.
  std::signal(SIGXFSZ, SIG_IGN);
  // So is a reader of the report that goes away.
  std::signal(SIGPIPE, SIG_IGN);
  std::optional<ChecksumList> checksums;
  if (!options.sha256_file.empty()) {
    checksums = ChecksumList::parse(read_whole_file(options.sha256_file, ChecksumList::max_bytes));
  }
  make_directories(options.directory);
  const std::vector<std::string> urls = without_repetitions(options.urls);
  Display display({.quiet = options.quiet, .json = options.json}, urls.size());
  if (const std::size_t repeated = options.urls.size() - urls.size(); repeated > 0) {
    display.say("left out " + std::to_string(repeated) +
                (repeated == 1 ? " URL that was given again" : " URLs that were given again"));
  }
  Ending ending;
  int status = 0;
  Runner runner;
  try {
    runner.run(run_to_the_end(options, display, checksums ? &*checksums : nullptr, urls, ending));
    status = display.failed() == 0 && !display.report_failed() ? 0 : 1;
  } catch (const KeyboardInterrupt&) {
    status = 128 + SIGINT;
  } catch (const CancelledError&) {
    if (!ending.terminated) throw;
    status = 128 + SIGTERM;
  }
  if (!ending.summed_up) display.summary(true);
  if (!ending.threads_ended) leave(status);
  runner.close();
  return status;
}

}  // namespace brio::cli
