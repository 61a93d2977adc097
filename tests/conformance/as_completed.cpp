// `as_completed` in its three modes.
#include "errors.hpp"
#include "items.hpp"
#include "operations.hpp"

#include <brio/sync/as_completed.hpp>

#include <chrono>
#include <utility>

namespace conformance {

namespace {

using brio::Coro;

/// `async for f in as_completed(…)`.
template <class Futures>
Coro<Code> iterate_async(Run& run, const Json& op, Frame& frame, Futures futures) {
  while (true) {
    try {
      const auto future = co_await futures.next();
      if (!future) break;
      run.log("as_completed item " + run.format(Value(brio::AnyFuture(*future))) + " " +
              run.state(*future));
    } catch (...) {
      run.log("as_completed = !" + format_error(std::current_exception()));
      throw;
    }
    Code code = co_await run_block(run, op[4], frame);
    if (code.flow == Code::Flow::break_) co_return Code();
    if (code.flow == Code::Flow::return_) co_return code;
  }
  run.log("as_completed = None");
  co_return Code();
}

/// `for slot in as_completed(…): await slot`. With `lenient` an Exception of a slot is dropped.
template <class Futures>
Coro<Code> iterate_plain(Run& run, const Json& op, Frame& frame, Futures futures, bool lenient) {
  for (auto slot : futures) {
    try {
      frame.last = co_await std::move(slot);
      run.log("as_completed item " + run.format(frame.last));
    } catch (...) {
      const std::exception_ptr error = std::current_exception();
      run.log("as_completed item !" + format_error(error));
      if (!lenient || !is_instance(error, "Exception")) throw;
      frame.last = none;
    }
    Code code = co_await run_block(run, op[4], frame);
    if (code.flow == Code::Flow::break_) co_return Code();
    if (code.flow == Code::Flow::return_) co_return code;
  }
  run.log("as_completed = None");
  co_return Code();
}

template <class Futures>
Coro<Code> iterate(Run& run, const Json& op, Frame& frame, Futures futures) {
  const std::string& mode = op[3].string();
  if (mode == "async") return iterate_async(run, op, frame, std::move(futures));
  return iterate_plain(run, op, frame, std::move(futures), mode == "catch");
}

/// Makes the iterator, in the form that the items allow.
Coro<Code> start(Run& run, const Json& op, Frame& frame) {
  const Json& items = op[1];
  const Value limit = evaluate(run, op[2], frame);
  brio::AsCompletedOptions options;
  if (!limit.is_none()) options.timeout = std::chrono::milliseconds(limit.number());
  look_up(run, items);
  if (all_coroutines(items)) {
    std::vector<Coro<Value>> coroutines = make_coroutines(run, items);
    return iterate(run, op, frame, brio::as_completed(coroutines, options));
  }
  return iterate(run, op, frame, brio::as_completed(futures_of(run, items), options));
}

}  // namespace

Coro<Code> run_as_completed(Run& run, const Json& op, Frame& frame) {
  Coro<Code> iteration;
  try {
    iteration = start(run, op, frame);
  } catch (const Unset&) {
    run.log("as_completed = unset");
    co_return Code();
  } catch (...) {
    run.log("as_completed = !" + format_error(std::current_exception()));
    throw;
  }
  co_return co_await std::move(iteration);
}

}  // namespace conformance
