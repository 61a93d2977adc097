// `with`, `timeout`, `timeout_at`, `taskgroup`: entered and left by hand, as the objects live on in
// their slots.
#include "errors.hpp"
#include "operations.hpp"

#include <brio/core/outcome.hpp>

#include <array>
#include <utility>
#include <variant>

namespace conformance {

namespace {

using brio::Coro;

/// Something to enter and to leave.
class Scope {
public:
  Scope() = default;
  Scope(const Scope&) = delete;
  Scope& operator=(const Scope&) = delete;
  virtual ~Scope() = default;
  virtual Coro<void> enter() = 0;
  /// What leaves the block, given what left its body; null for nothing.
  virtual Coro<std::exception_ptr> leave(std::exception_ptr error) = 0;
  /// Appended to the label on leaving.
  [[nodiscard]] virtual std::string tail() const { return ""; }
};

class TimeoutScope final : public Scope {
public:
  TimeoutScope(std::shared_ptr<brio::Timeout> timeout, bool tells)
      : timeout_(std::move(timeout)), tells_(tells) {}
  Coro<void> enter() override {
    timeout_->enter();
    co_return;
  }
  Coro<std::exception_ptr> leave(std::exception_ptr error) override {
    co_return timeout_->leave(std::move(error));
  }
  [[nodiscard]] std::string tail() const override {
    return tells_ && timeout_->expired() ? " expired" : "";
  }

private:
  std::shared_ptr<brio::Timeout> timeout_;
  bool tells_;
};

class GroupScope final : public Scope {
public:
  explicit GroupScope(std::shared_ptr<brio::TaskGroup> group) : group_(std::move(group)) {}
  Coro<void> enter() override {
    group_->enter();
    co_return;
  }
  Coro<std::exception_ptr> leave(std::exception_ptr error) override {
    co_return co_await group_->leave(std::move(error));
  }

private:
  std::shared_ptr<brio::TaskGroup> group_;
};

/// A lock, a semaphore or a condition, through the guard that scoped() gives.
template <class Primitive>
class HeldScope final : public Scope {
public:
  explicit HeldScope(std::shared_ptr<Primitive> primitive) : primitive_(std::move(primitive)) {}
  Coro<void> enter() override { held_ = co_await primitive_->scoped(); }
  Coro<std::exception_ptr> leave(std::exception_ptr error) override {
    try {
      held_.release();
    } catch (...) {
      error = std::current_exception();
    }
    co_return error;
  }

private:
  std::shared_ptr<Primitive> primitive_;
  decltype(std::declval<Primitive&>().scoped().await_resume()) held_;
};

class BarrierScope final : public Scope {
public:
  explicit BarrierScope(std::shared_ptr<brio::Barrier> barrier) : barrier_(std::move(barrier)) {}
  Coro<void> enter() override { co_await barrier_->scoped(); }
  Coro<std::exception_ptr> leave(std::exception_ptr error) override { co_return error; }

private:
  std::shared_ptr<brio::Barrier> barrier_;
};

std::unique_ptr<Scope> scope_of(const Object& object) {
  return std::visit(
      [](const auto& held) -> std::unique_ptr<Scope> {
        using Held = std::remove_cvref_t<decltype(held)>;
        if constexpr (std::is_same_v<Held, std::shared_ptr<brio::Timeout>>)
          return std::make_unique<TimeoutScope>(held, false);
        else if constexpr (std::is_same_v<Held, std::shared_ptr<brio::TaskGroup>>)
          return std::make_unique<GroupScope>(held);
        else if constexpr (std::is_same_v<Held, std::shared_ptr<brio::Barrier>>)
          return std::make_unique<BarrierScope>(held);
        else if constexpr (requires { held->release(); })
          return std::make_unique<HeldScope<typename Held::element_type>>(held);
        else
          throw BadProgram("with: the slot holds something that cannot be entered");
      },
      object);
}

/// The deadline of `timeout` and `timeout_at`.
std::optional<brio::TimePoint> deadline_of(const Run& run, const std::string& name,
                                           const Value& value) {
  if (value.is_none()) return std::nullopt;
  return at_ms((name == "timeout" ? run.now() : 0) + value.number());
}

std::unique_ptr<Scope> make_scope(Run& run, const Json& op, const Frame& frame) {
  const std::string& name = op[0].string();
  const std::string& slot = op[1].string();
  if (name == "with") return scope_of(run.slot(slot));
  if (name == "taskgroup") {
    auto group = std::make_shared<brio::TaskGroup>();
    run.store(slot, group);
    return std::make_unique<GroupScope>(std::move(group));
  }
  auto timeout =
      std::make_shared<brio::Timeout>(deadline_of(run, name, evaluate(run, op[2], frame)));
  run.store(slot, timeout);
  return std::make_unique<TimeoutScope>(std::move(timeout), true);
}

// ---- what is asked of a scope from inside, or from elsewhere

std::shared_ptr<brio::Timeout> timeout(const Call& c) {
  return c.run.slot_as<std::shared_ptr<brio::Timeout>>(c.name(0));
}

Value reschedule(Call& c) {
  const Value when = c.value(1);
  timeout(c)->reschedule(when.is_none() ? std::nullopt : std::optional(at_ms(when.number())));
  return none;
}

Value when(Call& c) {
  const std::optional<brio::TimePoint> deadline = timeout(c)->when();
  return deadline ? Value(to_ms(*deadline)) : none;
}

Value expired(Call& c) { return Value(timeout(c)->expired()); }

Value tg_spawn(Call& c) {
  const auto group = c.run.slot_as<std::shared_ptr<brio::TaskGroup>>(c.name(0));
  brio::TaskOptions options;
  options.name = c.name(1);
  if (c.given(3)) options.context = c.run.slot_as<brio::Context>(c.name(3));
  const brio::Task<Value> task = group->create_task(c.run.coroutine(c.name(2)), std::move(options));
  c.run.store(c.name(1), brio::AnyFuture(task));
  return Value(brio::AnyFuture(task));
}

constexpr std::array table{
    Operation{"reschedule", "nf", false, reschedule},
    Operation{"when", "n", true, when},
    Operation{"expired", "n", true, expired},
    Operation{"tg_spawn", "nn", true, tg_spawn},
};

}  // namespace

std::span<const Operation> scope_operations() { return table; }

bool is_scope(std::string_view name) {
  return name == "with" || name == "timeout" || name == "timeout_at" || name == "taskgroup";
}

Coro<Code> run_scope(Run& run, const Json& op, Frame& frame) {
  const std::string& name = op[0].string();
  const bool with = name == "with";
  const bool timed = name == "timeout" || name == "timeout_at";
  const std::string label = (timed ? "timeout" : name) + " " + op[1].string();
  std::unique_ptr<Scope> scope;
  try {
    scope = make_scope(run, op, frame);
    co_await scope->enter();
  } catch (...) {
    run.log(label + " = !" + format_error(std::current_exception()));
    throw;
  }
  if (with) run.log(label + " enter");

  const brio::Outcome<Code> body =
      co_await brio::as_outcome(run_block(run, op[timed ? 3 : 2], frame));
  const std::exception_ptr error = co_await scope->leave(body.error());
  run.log(label + scope->tail() + " = " + (error ? "!" + format_error(error) : "None"));
  if (error) std::rethrow_exception(error);
  co_return body ? body.value() : Code();
}

}  // namespace conformance
