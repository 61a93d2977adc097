// Sleeping, tasks, futures, context variables, objects.
#include "errors.hpp"
#include "operations.hpp"

#include <brio/core/sleep.hpp>

#include <array>
#include <chrono>

namespace conformance {

namespace {

using brio::AnyFuture;
using brio::AnyTask;
using brio::Coro;

Coro<Value> yield(Call&) {
  co_await brio::sleep(std::chrono::milliseconds(0));
  co_return none;
}

Coro<Value> sleep(Call& c) {
  co_await brio::sleep(std::chrono::milliseconds(c.number(0)));
  co_return none;
}

Value new_object(Call& c) {
  c.run.create(c.name(0), c.argument(1));
  return none;
}

Value spawn(Call& c) {
  brio::TaskOptions options;
  options.name = c.name(0);
  if (c.given(2)) options.context = c.run.slot_as<brio::Context>(c.name(2));
  const brio::Task<Value> task = brio::create_task(c.run.coroutine(c.name(1)), std::move(options));
  c.run.store(c.name(0), AnyFuture(task));
  return Value(AnyFuture(task));
}

Coro<Value> await(Call& c) {
  const AnyFuture future = c.run.future(c.name(0));
  if (future.is_task()) co_return co_await as_value_future(future);
  co_await future;
  co_return c.run.result(future);
}

Value cancel(Call& c) { return Value(c.run.future(c.name(0)).cancel(c.message(1))); }

Value uncancel(Call& c) { return Value(std::int64_t{c.run.task(c.name(0)).uncancel()}); }

Value cancelling(Call& c) { return Value(std::int64_t{c.run.task(c.name(0)).cancelling()}); }

Value done(Call& c) { return Value(c.run.future(c.name(0)).done()); }

Value cancelled(Call& c) { return Value(c.run.future(c.name(0)).cancelled()); }

Value result(Call& c) { return c.run.result(c.run.future(c.name(0))); }

Value exception(Call& c) {
  std::exception_ptr error = c.run.future(c.name(0)).exception();
  return error ? Value(std::move(error)) : none;
}

Value set_result(Call& c) {
  const AnyFuture future = c.run.future(c.name(0));
  if (!c.run.is_value_future(future)) throw BadProgram("set_result on a gather");
  as_value_future(future).set_result(c.value(1));
  return none;
}

Value set_exception(Call& c) {
  as_value_future(c.run.future(c.name(0))).set_exception(make_error(c.name(1), c.message(2)));
  return none;
}

Value ctx_set(Call& c) {
  c.run.context_variable(c.name(0)).set(c.value(1));
  return none;
}

Value ctx_get(Call& c) { return c.run.context_variable(c.name(0)).get(); }

Value ctx_copy(Call& c) {
  c.run.store(c.name(0), brio::copy_context());
  return none;
}

constexpr std::array table{
    Operation{"yield", "", false, nullptr, yield},
    Operation{"sleep", "t", false, nullptr, sleep},
    Operation{"new", "n", false, new_object},
    Operation{"spawn", "n", true, spawn},
    Operation{"await", "n", true, nullptr, await},
    Operation{"cancel", "nn", true, cancel},
    Operation{"uncancel", "n", true, uncancel},
    Operation{"cancelling", "n", true, cancelling},
    Operation{"done", "n", true, done},
    Operation{"cancelled", "n", true, cancelled},
    Operation{"result", "n", true, result},
    Operation{"exception", "n", true, exception},
    Operation{"set_result", "nf", false, set_result},
    Operation{"set_exception", "ne", false, set_exception},
    Operation{"ctx_set", "nf", false, ctx_set},
    Operation{"ctx_get", "n", true, ctx_get},
    Operation{"ctx_copy", "n", false, ctx_copy},
};

}  // namespace

std::span<const Operation> task_operations() { return table; }

}  // namespace conformance
