// Done-callbacks, handles and timers.
#include "operations.hpp"

#include <array>
#include <chrono>
#include <variant>

namespace conformance {

namespace {

using std::chrono::milliseconds;

/// Two of the same name are the same function to remove_done_callback.
struct DoneCallback {
  Run* run;
  std::string name;

  void operator()(const brio::AnyFuture& future) const {
    run->log("cb " + name + " " + run->format(Value(future)) + " " + run->state(future));
    run->run_callback(name);
  }
  bool operator==(const DoneCallback&) const = default;
};

auto loop_callback(Call& c, std::size_t index) {
  return [&run = c.run, name = c.name(index)] {
    run.log("call " + name);
    run.run_callback(name);
  };
}

brio::Handle handle(const Call& c) {
  const Object object = c.run.slot(c.name(0));
  if (const auto* timer = std::get_if<brio::TimerHandle>(&object)) return *timer;
  if (const auto* plain = std::get_if<brio::Handle>(&object)) return *plain;
  throw BadProgram("slot " + c.name(0) + " holds no handle");
}

Value add_cb(Call& c) {
  c.run.future(c.name(0)).add_done_callback(DoneCallback{&c.run, c.name(1)});
  return none;
}

Value remove_cb(Call& c) {
  const std::size_t count =
      c.run.future(c.name(0)).remove_done_callback(DoneCallback{&c.run, c.name(1)});
  return Value(static_cast<std::int64_t>(count));
}

Value call_soon(Call& c) {
  c.run.store(c.name(0), c.run.loop().call_soon(loop_callback(c, 1)));
  return none;
}

Value call_later(Call& c) {
  c.run.store(c.name(0), c.run.loop().call_later(milliseconds(c.number(1)), loop_callback(c, 2)));
  return none;
}

Value call_at(Call& c) {
  c.run.store(c.name(0), c.run.loop().call_at(at_ms(c.number(1)), loop_callback(c, 2)));
  return none;
}

Value handle_cancel(Call& c) {
  handle(c).cancel();
  return none;
}

Value handle_cancelled(Call& c) { return Value(handle(c).cancelled()); }

Value handle_when(Call& c) {
  return Value(to_ms(c.run.slot_as<brio::TimerHandle>(c.name(0)).when()));
}

constexpr std::array table{
    Operation{"add_cb", "nn", false, add_cb},
    Operation{"remove_cb", "nn", true, remove_cb},
    Operation{"call_soon", "n", false, call_soon},
    Operation{"call_later", "nt", false, call_later},
    Operation{"call_at", "nt", false, call_at},
    Operation{"handle_cancel", "n", false, handle_cancel},
    Operation{"handle_cancelled", "n", true, handle_cancelled},
    Operation{"handle_when", "n", true, handle_when},
};

}  // namespace

std::span<const Operation> callback_operations() { return table; }

}  // namespace conformance
