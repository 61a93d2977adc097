#include <brio/net/resolver.hpp>

#include <brio/core/loop.hpp>
#include <brio/exec/run_in_executor.hpp>
#include <brio/net/list_wait.hpp>

#include <charconv>
#include <map>
#include <memory>
#include <netdb.h>
#include <tuple>

namespace brio {

namespace {

using Answers = std::vector<net::AddrInfo>;

// A look-up under way and those who wait for it. A cancelled waiter leaves the others alone.
struct Lookup {
  concurrent::Future<Answers> job;
  detail::WaitList waits;
  bool done = false;
  Answers answers;
  std::exception_ptr error;
};

using LookupKey = std::tuple<std::optional<std::string>, std::string, int, int, int, int>;

// One per loop: equal look-ups are made once.
struct Resolver {
  std::map<LookupKey, std::shared_ptr<Lookup>> under_way;
};

std::optional<std::uint16_t> numeric_port(const std::string& service) {
  if (service.empty()) return std::uint16_t{0};
  std::uint16_t port = 0;
  const char* const end = service.data() + service.size();
  const auto result = std::from_chars(service.data(), end, port);
  if (result.ec != std::errc() || result.ptr != end) return std::nullopt;
  return port;
}

// One that was given up may have a successor already.
void forget(EventLoop& loop, const LookupKey& key, const std::shared_ptr<Lookup>& lookup) {
  auto& under_way = loop.local<Resolver>().under_way;
  const auto found = under_way.find(key);
  if (found != under_way.end() && found->second == lookup) under_way.erase(found);
}

std::shared_ptr<Lookup> begin_lookup(EventLoop& loop, const LookupKey& key,
                                     const net::AddrInfoHints& hints) {
  auto lookup = std::make_shared<Lookup>();
  lookup->job = detail::default_executor(loop).submit(&net::blocking_getaddrinfo, std::get<0>(key),
                                                      std::get<1>(key), hints);
  const Future<Answers> answer = wrap_future(lookup->job, &loop);
  loop.local<Resolver>().under_way[key] = lookup;
  answer.add_done_callback([lookup, key, &loop](const Future<Answers>& done) {
    forget(loop, key, lookup);
    lookup->done = true;
    try {
      lookup->answers = done.result();
    } catch (...) {
      lookup->error = std::current_exception();
    }
    lookup->waits.wake_all();
  });
  return lookup;
}

}  // namespace

Coro<Answers> getaddrinfo(std::optional<std::string> host, std::string service,
                          net::AddrInfoHints hints) {
  if (host) {
    if (const auto port = numeric_port(service)) {
      if (auto info = net::literal_addrinfo(*host, *port, hints)) {
        Answers answers;
        answers.push_back(*std::move(info));
        co_return answers;
      }
    }
  }
  EventLoop& loop = get_running_loop();
  const LookupKey key(host, service, hints.family, hints.type, hints.proto, hints.flags);
  auto& under_way = loop.local<Resolver>().under_way;
  const auto found = under_way.find(key);
  const std::shared_ptr<Lookup> lookup =
      found != under_way.end() ? found->second : begin_lookup(loop, key, hints);
  if (!lookup->done) {
    net::detail::ListWait wait(lookup->waits);
    try {
      co_await wait;
    } catch (...) {
      // Nobody waits any more: if it has no thread yet, it shall not keep others from one.
      if (lookup->waits.empty() && !lookup->done && lookup->job.cancel()) forget(loop, key, lookup);
      throw;
    }
  }
  if (lookup->error) std::rethrow_exception(lookup->error);
  co_return lookup->answers;
}

Coro<std::pair<std::string, std::string>> getnameinfo(net::SocketAddress address, int flags) {
  constexpr int numeric = NI_NUMERICHOST | NI_NUMERICSERV;
  if ((flags & numeric) == numeric) co_return net::blocking_getnameinfo(address, flags);
  co_return co_await run_in_executor(nullptr, &net::blocking_getnameinfo, std::move(address),
                                     flags);
}

}  // namespace brio
