// Locks, events, conditions, semaphores, barriers, queues.
#include "operations.hpp"

#include <array>
#include <type_traits>
#include <utility>
#include <variant>

namespace conformance {

namespace {

using brio::Coro;

/// Calls `use` with the object in the slot that argument 0 names, if it is one that `use` takes.
template <class R, class Use>
R with_object(Call& c, Use use) {
  const Object object = c.run.slot(c.name(0));
  return std::visit(
      [&](const auto& held) -> R {
        if constexpr (requires { use(*held); })
          return use(*held);
        else
          throw BadProgram("slot " + c.name(0) + " holds something else");
      },
      object);
}

// The coroutines below get the object's address: with_object's copy of the handle dies before they
// start, but the run keeps every object to its end.
template <class Acquirable>
Coro<Value> acquire_it(Acquirable* object) {
  co_return Value(static_cast<bool>(co_await object->acquire()));
}
Coro<Value> acquire(Call& c) {
  return with_object<Coro<Value>>(
      c,
      [](auto& object) -> Coro<Value>
        requires requires { object.acquire(); }
      { return acquire_it(&object); });
}

Value release(Call& c) {
  with_object<void>(
      c, [](auto& object)
        requires requires { object.acquire(); }
      { object.release(); });
  return none;
}

Value locked(Call& c) {
  return with_object<Value>(
      c,
      [](auto& object) -> Value
        requires requires { object.locked(); }
      { return Value(object.locked()); });
}

// ---- events

std::shared_ptr<brio::Event> event(const Call& c) {
  return c.run.slot_as<std::shared_ptr<brio::Event>>(c.name(0));
}

Coro<Value> event_wait(Call& c) { co_return Value(co_await event(c)->wait()); }

Value event_set(Call& c) {
  event(c)->set();
  return none;
}

Value event_clear(Call& c) {
  event(c)->clear();
  return none;
}

Value is_set(Call& c) { return Value(event(c)->is_set()); }

// ---- conditions

std::shared_ptr<brio::Condition> condition(const Call& c) {
  return c.run.slot_as<std::shared_ptr<brio::Condition>>(c.name(0));
}

Coro<Value> cond_wait(Call& c) { co_return Value(co_await condition(c)->wait()); }

Coro<Value> cond_wait_for(Call& c) {
  const auto holds = [&c] { return test(c.run, c.argument(1), c.frame); };
  co_return Value(co_await condition(c)->wait_for(holds));
}

Value notify(Call& c) {
  condition(c)->notify(c.given(1) ? static_cast<std::size_t>(c.number(1)) : 1);
  return none;
}

Value notify_all(Call& c) {
  condition(c)->notify_all();
  return none;
}

// ---- barriers

std::shared_ptr<brio::Barrier> barrier(const Call& c) {
  return c.run.slot_as<std::shared_ptr<brio::Barrier>>(c.name(0));
}

Coro<Value> barrier_wait(Call& c) { co_return Value(std::int64_t{co_await barrier(c)->wait()}); }

Coro<Value> barrier_reset(Call& c) {
  co_await barrier(c)->reset();
  co_return none;
}

Coro<Value> barrier_abort(Call& c) {
  co_await barrier(c)->abort();
  co_return none;
}

Value n_waiting(Call& c) { return Value(std::int64_t{barrier(c)->n_waiting()}); }

Value broken(Call& c) { return Value(barrier(c)->broken()); }

constexpr std::array sync_table{
    Operation{"acquire", "n", true, nullptr, acquire},
    Operation{"release", "n", false, release},
    Operation{"locked", "n", true, locked},
    Operation{"event_wait", "n", true, nullptr, event_wait},
    Operation{"event_set", "n", false, event_set},
    Operation{"event_clear", "n", false, event_clear},
    Operation{"is_set", "n", true, is_set},
    Operation{"cond_wait", "n", true, nullptr, cond_wait},
    Operation{"cond_wait_for", "n", true, nullptr, cond_wait_for},
    Operation{"notify", "n1", false, notify},
    Operation{"notify_all", "n", false, notify_all},
    Operation{"barrier_wait", "n", true, nullptr, barrier_wait},
    Operation{"barrier_reset", "n", false, nullptr, barrier_reset},
    Operation{"barrier_abort", "n", false, nullptr, barrier_abort},
    Operation{"n_waiting", "n", true, n_waiting},
    Operation{"broken", "n", true, broken},
};

// ---- queues

template <class Queue>
Coro<Value> put_it(Queue* queue, Value item) {
  co_await queue->put(std::move(item));
  co_return none;
}
template <class Queue>
Coro<Value> get_it(Queue* queue) {
  co_return co_await queue->get();
}
template <class Queue>
Coro<Value> join_it(Queue* queue) {
  co_await queue->join();
  co_return none;
}

/// Calls `use` with the queue in the slot that argument 0 names.
template <class R, class Use>
R with_queue(Call& c, Use use) {
  return with_object<R>(
      c,
      [&use](auto& queue) -> R
        requires requires { queue.qsize(); }
      { return use(queue); });
}

Coro<Value> put(Call& c) {
  return with_queue<Coro<Value>>(c, [&c](auto& queue) { return put_it(&queue, c.value(1)); });
}

Coro<Value> get(Call& c) {
  return with_queue<Coro<Value>>(c, [](auto& queue) { return get_it(&queue); });
}

Coro<Value> join(Call& c) {
  return with_queue<Coro<Value>>(c, [](auto& queue) { return join_it(&queue); });
}

Value put_nowait(Call& c) {
  with_queue<void>(c, [&c](auto& queue) { queue.put_nowait(c.value(1)); });
  return none;
}

Value get_nowait(Call& c) {
  return with_queue<Value>(c, [](auto& queue) { return queue.get_nowait(); });
}

Value task_done(Call& c) {
  with_queue<void>(c, [](auto& queue) { queue.task_done(); });
  return none;
}

Value shutdown(Call& c) {
  with_queue<void>(c, [&c](auto& queue) { queue.shutdown(c.flag(1)); });
  return none;
}

Value qsize(Call& c) {
  return with_queue<Value>(
      c, [](auto& queue) { return Value(static_cast<std::int64_t>(queue.qsize())); });
}

Value empty(Call& c) {
  return with_queue<Value>(c, [](auto& queue) { return Value(queue.empty()); });
}

Value full(Call& c) {
  return with_queue<Value>(c, [](auto& queue) { return Value(queue.full()); });
}

constexpr std::array queue_table{
    Operation{"put", "nf", false, nullptr, put},
    Operation{"get", "n", true, nullptr, get},
    Operation{"put_nowait", "nf", false, put_nowait},
    Operation{"get_nowait", "n", true, get_nowait},
    Operation{"task_done", "n", false, task_done},
    Operation{"join", "n", false, nullptr, join},
    Operation{"shutdown", "nb", false, shutdown},
    Operation{"qsize", "n", true, qsize},
    Operation{"empty", "n", true, empty},
    Operation{"full", "n", true, full},
};

}  // namespace

std::span<const Operation> sync_operations() { return sync_table; }
std::span<const Operation> queue_operations() { return queue_table; }

}  // namespace conformance
