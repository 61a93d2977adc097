#include <brio/net/connector.hpp>

#include <brio/core/exception_group.hpp>
#include <brio/core/loop.hpp>
#include <brio/core/outcome.hpp>
#include <brio/core/wait.hpp>
#include <brio/net/sock.hpp>
#include <brio/net/socket_transport.hpp>

#include <algorithm>
#include <string>
#include <utility>

namespace brio::net::detail {

namespace {

// Binds to the first local address of the socket's family. Throws the last one's error.
void bind_locally(Socket& socket, int family, const std::vector<AddrInfo>& local_addresses) {
  std::exception_ptr error;
  for (const AddrInfo& local : local_addresses) {
    if (local.family != family) continue;
    try {
      socket.bind(local.address);
      return;
    } catch (const OSError&) {
      error = std::current_exception();
    }
  }
  if (error) std::rethrow_exception(error);
  throw OSError(std::make_error_code(std::errc::address_family_not_supported),
                "no matching local address with family " + std::to_string(family) + " found");
}

Coro<Socket> connect_one(AddrInfo target, std::vector<AddrInfo> local_addresses) {
  Socket socket(target.family, target.type != 0 ? target.type : SOCK_STREAM, target.proto);
  if (!local_addresses.empty()) bind_locally(socket, target.family, local_addresses);
  co_await sock_connect(socket, target.address);
  co_return std::move(socket);
}

// All attempts have failed.
[[noreturn]] void throw_combined(const std::vector<std::exception_ptr>& errors, bool all_errors) {
  if (all_errors) throw ExceptionGroup("create_connection failed", errors);
  if (errors.size() == 1) std::rethrow_exception(errors.front());
  // Several addresses, one errno: that errno's class, with every address in the text.
  std::string targets;
  std::string texts;
  std::optional<std::error_code> code;
  bool same = true;
  constexpr std::string_view prefix = "connect to ";
  for (const std::exception_ptr& error : errors) {
    try {
      std::rethrow_exception(error);
    } catch (const OSError& e) {
      const std::string text = e.what();
      const auto end = text.find(" failed: ");
      same = same && (!code || *code == e.code()) && text.starts_with(prefix) &&
             end != std::string::npos;
      code = e.code();
      texts += (texts.empty() ? "" : ", ") + text;
      if (same) {
        targets += (targets.empty() ? "" : ", ") + text.substr(prefix.size(), end - prefix.size());
      }
    }
  }
  if (same) throw_oserror(code->value(), std::string(prefix) + targets);
  throw OSError(*code, "Multiple exceptions: " + texts);
}

// One after the other.
Coro<Socket> connect_in_turn(ConnectPlan plan) {
  std::vector<std::exception_ptr> errors;
  for (AddrInfo& target : plan.addresses) {
    Outcome<Socket> outcome =
        co_await as_outcome(connect_one(std::move(target), plan.local_addresses));
    if (outcome) co_return std::move(outcome).value();
    if (!is_oserror(outcome.error())) outcome.raise();
    errors.push_back(outcome.error());
  }
  throw_combined(errors, plan.all_errors);
}

// The attempts of one staggered race.
class Race {
public:
  explicit Race(ConnectPlan plan) : plan_(std::move(plan)) {}
  Race(const Race&) = delete;
  Race& operator=(const Race&) = delete;

  // Until one attempt has won or all have failed. The next begins after the delay, or as soon as
  // the latest has failed.
  Coro<Socket> run() {
    for (;;) {
      if (running_.empty() && next_ == plan_.addresses.size()) {
        throw_combined(errors_, plan_.all_errors);
      }
      if (begin_next_) begin_next();
      WaitOptions options{.return_when = FIRST_COMPLETED};
      if (next_ < plan_.addresses.size()) options.timeout = plan_.happy_eyeballs_delay;
      const auto waited = co_await brio::wait(running_, options);
      begin_next_ = waited.done.empty();
      std::optional<Socket> winner;
      for (const Task<Socket>& task : waited.done) settle(task, winner);
      if (winner) co_return std::move(*winner);
    }
  }

  // Ends what is still under way. Sockets that connect all the same are closed. Whatever happens
  // it waits for all of them; gives the cancellation that came meanwhile, null if none did.
  Coro<std::exception_ptr> stop() {
    std::exception_ptr cancellation;
    for (const Task<Socket>& task : running_) task.cancel();
    // A scope that is cancelled would refuse each wait, without end.
    const brio::detail::ScopeShield shield(*brio::detail::thread_state.task);
    for (const Task<Socket>& task : running_) {
      while (!task.done()) {
        const auto waited = co_await as_outcome(brio::wait(std::vector<Task<Socket>>{task}));
        if (!waited) cancellation = waited.error();
      }
      if (!task.cancelled()) (void)task.exception();
    }
    co_return cancellation;
  }

private:
  void begin_next() {
    begin_next_ = false;
    if (next_ == plan_.addresses.size()) return;
    latest_ = create_task(connect_one(std::move(plan_.addresses[next_++]), plan_.local_addresses));
    running_.push_back(latest_);
  }

  void settle(const Task<Socket>& task, std::optional<Socket>& winner) {
    std::erase(running_, task);
    if (task.cancelled()) {
      begin_next_ = begin_next_ || task == latest_;
    } else if (const std::exception_ptr error = task.exception()) {
      errors_.push_back(error);
      begin_next_ = begin_next_ || task == latest_;
    } else {
      // The first in line wins; another that is ready as well is closed with its task.
      Socket socket = std::move(const_cast<Socket&>(task.result()));
      if (!winner) winner = std::move(socket);
    }
  }

  ConnectPlan plan_;
  std::size_t next_ = 0;
  bool begin_next_ = true;
  Task<Socket> latest_;
  std::vector<Task<Socket>> running_;
  std::vector<std::exception_ptr> errors_;
};

Coro<Socket> connect_staggered(ConnectPlan plan) {
  Race race(std::move(plan));
  Outcome<Socket> outcome = co_await as_outcome(race.run());
  // A request to end beats a connection that is there: the socket closes with the outcome.
  if (const std::exception_ptr cancellation = co_await race.stop()) {
    std::rethrow_exception(cancellation);
  }
  co_return std::move(outcome).value();
}

}  // namespace

std::vector<AddrInfo> interleave_addresses(std::vector<AddrInfo> addresses,
                                           int first_family_count) {
  std::vector<std::vector<AddrInfo>> families;
  for (AddrInfo& address : addresses) {
    const auto same = std::find_if(families.begin(), families.end(), [&](const auto& family) {
      return family.front().family == address.family;
    });
    if (same != families.end()) {
      same->push_back(std::move(address));
    } else {
      families.emplace_back().push_back(std::move(address));
    }
  }
  std::vector<AddrInfo> result;
  std::vector<std::size_t> taken(families.size(), 0);
  const auto take = [&](std::size_t family) {
    if (taken[family] < families[family].size()) {
      result.push_back(std::move(families[family][taken[family]++]));
    }
  };
  // All but the last of the first family's head start.
  for (int i = 1; i < first_family_count && !families.empty(); ++i) take(0);
  while (result.size() < addresses.size()) {
    for (std::size_t family = 0; family < families.size(); ++family) take(family);
  }
  return result;
}

Coro<Socket> connect_any(ConnectPlan plan) {
  if (plan.addresses.empty()) {
    throw OSError(std::make_error_code(std::errc::address_not_available),
                  "getaddrinfo() returned empty list");
  }
  if (plan.happy_eyeballs_delay && plan.addresses.size() > 1) {
    co_return co_await connect_staggered(std::move(plan));
  }
  co_return co_await connect_in_turn(std::move(plan));
}

}  // namespace brio::net::detail
