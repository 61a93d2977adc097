// Objects made by specification, and the questions that conditions ask of slots.
#include "interp.hpp"
#include "run.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace conformance {

Object Run::make_object(const Json& specification) {
  const std::string& kind = specification[0].string();
  const Json& argument = specification[1];
  const auto number = [&] { return argument.is_null() ? std::int64_t{0} : argument.integer(); };
  // A queue without bound: 0, or in Python any negative number.
  const auto size = [&] { return static_cast<std::size_t>(std::max(number(), std::int64_t{0})); };
  const auto permits = [&] { return argument.is_null() ? std::int64_t{1} : argument.integer(); };
  if (kind == "lock") return std::make_shared<brio::Lock>();
  if (kind == "event") return std::make_shared<brio::Event>();
  if (kind == "condition") {
    if (argument.is_null()) return std::make_shared<brio::Condition>();
    return std::make_shared<brio::Condition>(
        *slot_as<std::shared_ptr<brio::Lock>>(argument.string()));
  }
  if (kind == "semaphore") return std::make_shared<brio::Semaphore>(permits());
  if (kind == "bounded_semaphore") return std::make_shared<brio::BoundedSemaphore>(permits());
  if (kind == "barrier") return std::make_shared<brio::Barrier>(static_cast<int>(number()));
  if (kind == "queue") return std::make_shared<brio::Queue<Value>>(size());
  if (kind == "lifo_queue") return std::make_shared<brio::LifoQueue<Value>>(size());
  if (kind == "priority_queue") return std::make_shared<brio::PriorityQueue<Value>>(size());
  if (kind == "future") return brio::AnyFuture(loop_->create_future<Value>());
  if (kind == "timeout")
    return std::make_shared<brio::Timeout>(
        argument.is_null() ? std::nullopt : std::optional(at_ms(argument.integer())));
  if (kind == "taskgroup") return std::make_shared<brio::TaskGroup>();
  throw BadProgram("unknown kind of object " + kind);
}

std::optional<bool> query(const Run& run, const std::string& kind, const Json& slot) {
  static constexpr std::array kinds{"done",  "cancelled", "is_set",  "locked",
                                    "empty", "full",      "expired", "broken"};
  bool known = false;
  for (const char* name : kinds) known |= kind == name;
  if (!known) return std::nullopt;
  if (!run.has_slot(slot.string())) return false;
  return std::visit(
      [&](const auto& object) -> bool {
        const auto& target = [&]() -> const auto& {
          if constexpr (requires { *object; })
            return *object;
          else
            return object;
        }();
        if constexpr (requires { target.done(); })
          if (kind == "done") return target.done();
        if constexpr (requires { target.cancelled(); })
          if (kind == "cancelled") return target.cancelled();
        if constexpr (requires { target.is_set(); })
          if (kind == "is_set") return target.is_set();
        if constexpr (requires { target.locked(); })
          if (kind == "locked") return target.locked();
        if constexpr (requires { target.empty(); })
          if (kind == "empty") return target.empty();
        if constexpr (requires { target.full(); })
          if (kind == "full") return target.full();
        if constexpr (requires { target.expired(); })
          if (kind == "expired") return target.expired();
        if constexpr (requires { target.broken(); })
          if (kind == "broken") return target.broken();
        throw BadProgram("slot " + slot.string() + " cannot be asked for " + kind);
      },
      run.slot(slot.string()));
}

}  // namespace conformance
