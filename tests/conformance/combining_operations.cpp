// gather, wait, wait_for, shield.
#include "items.hpp"
#include "operations.hpp"

#include <brio/core/gather.hpp>
#include <brio/core/shield.hpp>
#include <brio/core/timeouts.hpp>
#include <brio/core/wait.hpp>

#include <array>
#include <chrono>
#include <tuple>
#include <utility>
#include <variant>

namespace conformance {

namespace {

using brio::AnyFuture;
using brio::Coro;
using brio::Future;
using std::chrono::milliseconds;

// ---- gather

Value plain(const Value& value) { return value; }
Value plain(const brio::Outcome<Value>& outcome) {
  return outcome ? outcome.value() : Value(outcome.error());
}

template <class T>
Value list_of(const std::vector<T>& results) {
  List list;
  for (const T& result : results) list.push_back(plain(result));
  return Value(std::move(list));
}
template <class... Ts>
Value list_of(const std::tuple<Ts...>& results) {
  return std::apply([](const Ts&... each) { return Value(List{plain(each)...}); }, results);
}

/// A gather under way, and what gives its result once it is done.
struct Gathering {
  AnyFuture future;
  std::function<Value()> value;
};

template <class T>
Gathering gathering(const Future<T>& future) {
  return {future, [future] { return list_of(future.result()); }};
}

/// gather(…) or gather(return_exceptions, …).
template <class... Args>
Gathering start(bool outcomes, Args&&... args) {
  if (outcomes)
    return gathering(brio::gather(brio::return_exceptions, std::forward<Args>(args)...));
  return gathering(brio::gather(std::forward<Args>(args)...));
}

/// gather of futures of different types: their values are asked of them afterwards.
Gathering start_untyped(Run& run, bool outcomes, const Json& items) {
  std::vector<AnyFuture> children;
  for (const Json& item : items.array()) children.push_back(as_future(run, item));
  if (outcomes) {
    const auto future = brio::gather(brio::return_exceptions, children);
    return {future, [&run, future, children] {
              List list;
              for (std::size_t i = 0; i < children.size(); ++i) {
                const brio::Outcome<void>& outcome = future.result()[i];
                list.push_back(outcome ? run.result(children[i]) : Value(outcome.error()));
              }
              return Value(std::move(list));
            }};
  }
  const auto future = brio::gather(children);
  return {future, [&run, children] {
            List list;
            for (const AnyFuture& child : children) list.push_back(run.result(child));
            return Value(std::move(list));
          }};
}

// Each form of gather has its turn: two items are arguments, coroutines alone a vector of them,
// anything else a range that makes tasks as it goes.
Gathering start_gather(Run& run, const Json& items, bool outcomes) {
  look_up(run, items);
  if (!all_typed(run, items)) return start_untyped(run, outcomes, items);
  if (items.size() == 2) {
    Item first = typed_item(run, items[0]);
    Item second = typed_item(run, items[1]);
    return std::visit([&](auto& a, auto& b) { return start(outcomes, std::move(a), std::move(b)); },
                      first, second);
  }
  if (all_coroutines(items)) return start(outcomes, make_coroutines(run, items));
  return start(outcomes, futures_of(run, items));
}

Coro<Value> gather(Call& c) {
  const Gathering gathering = start_gather(c.run, c.argument(0), c.flag(1));
  co_await gathering.future;
  co_return gathering.value();
}

Value gather_start(Call& c) {
  Gathering gathering = start_gather(c.run, c.argument(1), c.flag(2));
  c.run.store_future(c.name(0), gathering.future, std::move(gathering.value));
  return none;
}

// ---- wait

brio::ReturnWhen return_when(const Call& c) {
  const std::string mode = c.message(2).value_or("ALL_COMPLETED");
  if (mode == "ALL_COMPLETED") return brio::ALL_COMPLETED;
  if (mode == "FIRST_COMPLETED") return brio::FIRST_COMPLETED;
  if (mode == "FIRST_EXCEPTION") return brio::FIRST_EXCEPTION;
  throw BadProgram("unknown mode of wait " + mode);
}

std::optional<brio::Duration> timeout(const Call& c, std::size_t index) {
  const Value value = c.value(index);
  if (value.is_none()) return std::nullopt;
  return milliseconds(value.number());
}

std::string format_all(const Run& run, const std::vector<AnyFuture>& futures) {
  List list;
  for (const AnyFuture& future : futures) list.emplace_back(future);
  return run.format(Value(std::move(list)));
}

Coro<Value> wait(Call& c) {
  std::vector<AnyFuture> futures;
  for (const Json& name : c.argument(0).array()) futures.push_back(c.run.future(name.string()));
  const brio::WaitResult<AnyFuture> result = co_await brio::wait(
      std::move(futures), {.timeout = timeout(c, 1), .return_when = return_when(c)});
  c.shown_value =
      "done " + format_all(c.run, result.done) + " pending " + format_all(c.run, result.pending);
  co_return Value(static_cast<std::int64_t>(result.done.size()));
}

// ---- wait_for, shield

Coro<Value> wait_for(Call& c) {
  const Json& item = c.argument(0);
  const std::optional<brio::Duration> delay = timeout(c, 1);
  if (!is_typed(c.run, item)) {
    const AnyFuture future = c.run.future(item.string());
    co_await brio::wait_for(future, delay);
    co_return c.run.result(future);
  }
  Item typed = typed_item(c.run, item);
  if (auto* coroutine = std::get_if<Coro<Value>>(&typed))
    co_return co_await brio::wait_for(std::move(*coroutine), delay);
  co_return co_await brio::wait_for(std::get<Future<Value>>(typed), delay);
}

Future<Value> start_shield(Run& run, const Json& item) {
  Item typed = typed_item(run, item);
  return std::visit([](auto& inner) { return brio::shield(std::move(inner)); }, typed);
}

Coro<Value> shield(Call& c) {
  const Json& item = c.argument(0);
  if (is_typed(c.run, item)) co_return co_await start_shield(c.run, item);
  const AnyFuture inner = c.run.future(item.string());
  co_await brio::shield(inner);
  co_return c.run.result(inner);
}

Value shield_start(Call& c) {
  const Json& item = c.argument(1);
  if (is_typed(c.run, item)) {
    c.run.store_future(c.name(0), start_shield(c.run, item));
  } else {
    const AnyFuture inner = c.run.future(item.string());
    c.run.store_future(c.name(0), brio::shield(inner),
                       [&run = c.run, inner] { return run.result(inner); });
  }
  return none;
}

constexpr std::array table{
    Operation{"gather", "", true, nullptr, gather},
    Operation{"gather_start", "n", false, gather_start},
    Operation{"wait", "", true, nullptr, wait},
    Operation{"wait_for", "it", true, nullptr, wait_for},
    Operation{"shield", "i", true, nullptr, shield},
    Operation{"shield_start", "ni", false, shield_start},
};

}  // namespace

std::span<const Operation> combining_operations() { return table; }

}  // namespace conformance
