// Async generators: their bodies, and what drives them.
#include "errors.hpp"
#include "operations.hpp"

#include <array>
#include <utility>

namespace conformance {

namespace {

using brio::Coro;

/// How a block of a generator's body ended: by a code or by an exception.
struct Completion {
  Code::Flow flow = Code::Flow::next;
  std::exception_ptr error = nullptr;

  [[nodiscard]] bool normal() const noexcept { return flow == Code::Flow::next && !error; }
};

/// co_yield is possible in the generator's own coroutine alone, not in nested ones. So its blocks
/// are not coroutines but levels of this stack.
struct Level {
  enum class Kind { block, loop, try_body, handler, finally };
  Kind kind;
  const Json* ops;
  std::size_t next = 0;
  std::int64_t left = 0;            // of a loop
  const Json* statement = nullptr;  // the try
  Completion before{};              // what the finally block will go on with
};

class Body {
public:
  Body(Run& run, const Json& ops) : run_(run) { push({Level::Kind::block, &ops}); }

  /// The next operation that is no block; null at the end, and then `end` tells how it ended.
  const Json* next_operation() {
    while (!levels_.empty()) {
      Level& top = levels_.back();
      if (state_.normal() && top.next < top.ops->size()) {
        const Json& op = (*top.ops)[top.next++];
        if (!enter(op)) return &op;
      } else {
        leave_level();
      }
    }
    return nullptr;
  }
  /// How the operation ended.
  void done(Completion completion) { state_ = std::move(completion); }
  [[nodiscard]] const Completion& end() const noexcept { return state_; }
  [[nodiscard]] Frame& frame() noexcept { return frame_; }

private:
  void push(Level level) { levels_.push_back(std::move(level)); }

  bool enter(const Json& op) {
    const std::string& name = op[0].string();
    if (name == "if") {
      push({Level::Kind::block, test(run_, op[1], frame_) ? &op[2] : &op[3]});
    } else if (name == "loop") {
      if (op[1].integer() > 0)
        push({.kind = Level::Kind::loop, .ops = &op[2], .left = op[1].integer()});
    } else if (name == "try") {
      push({.kind = Level::Kind::try_body, .ops = &op[1], .statement = &op});
    } else {
      return false;
    }
    return true;
  }

  // state_ says how the level's operations ended, and afterwards how the level did.
  void leave_level() {
    Level level = std::move(levels_.back());
    levels_.pop_back();
    switch (level.kind) {
      case Level::Kind::block: return;
      case Level::Kind::loop: return leave_loop(level);
      case Level::Kind::try_body: return leave_try(level);
      case Level::Kind::handler: frame_.handling.pop_back(); return start_finally(level);
      case Level::Kind::finally:
        // An error of the finally block replaces the earlier one.
        if (!state_.error) state_ = std::move(level.before);
        return;
    }
  }

  void leave_loop(Level& level) {
    if (state_.normal() && --level.left > 0) {
      level.next = 0;
      push(std::move(level));
    } else if (state_.flow == Code::Flow::break_) {
      state_ = Completion();
    }
  }

  void leave_try(const Level& level) {
    const Json* handler =
        state_.error ? find_handler((*level.statement)[2], state_.error) : nullptr;
    if (!handler) return start_finally(level);
    run_.log("except !" + format_error(state_.error));
    frame_.handling.push_back(std::exchange(state_.error, nullptr));
    push({.kind = Level::Kind::handler, .ops = handler, .statement = level.statement});
  }

  void start_finally(const Level& level) {
    const Json& ops = (*level.statement)[3];
    if (ops.size() == 0) return;
    push(
        {.kind = Level::Kind::finally, .ops = &ops, .before = std::exchange(state_, Completion())});
  }

  Run& run_;
  Frame frame_;
  std::vector<Level> levels_;
  Completion state_;
};

/// The body of generator `name`.
brio::AsyncGenerator<Value> generate(Run& run, std::string name,
                                     std::shared_ptr<Generator::Progress> progress) {
  progress->started = true;
  run.log("enter " + name);
  Body body(run, run.generator(name));
  while (const Json* op = body.next_operation()) {
    Completion completion;
    if ((*op)[0].string() == "agen_yield") {
      const Value value = evaluate(run, (*op)[1], body.frame());
      try {
        co_yield value;
      } catch (...) {
        completion.error = std::current_exception();
      }
      run.log("agen_yield " + run.format(value) + " = " +
              (completion.error ? "!" + format_error(completion.error) : "None"));
    } else {
      const brio::Outcome<Code> outcome =
          co_await brio::as_outcome(run_statement(run, *op, body.frame()));
      if (outcome)
        completion.flow = outcome.value().flow;
      else
        completion.error = outcome.error();
    }
    body.done(std::move(completion));
  }
  const std::exception_ptr error = body.end().error;
  run.log("exit " + name + " = " + (error ? "!" + format_error(error) : "None"));
  progress->finished = true;
  if (error) std::rethrow_exception(error);
}

std::shared_ptr<Generator> generator(const Call& c) {
  return c.run.slot_as<std::shared_ptr<Generator>>(c.name(0));
}

Value agen_new(Call& c) {
  auto progress = std::make_shared<Generator::Progress>();
  brio::AsyncGenerator<Value> object = generate(c.run, c.name(1), progress);
  c.run.store(c.name(0), std::make_shared<Generator>(std::move(progress), std::move(object)));
  return none;
}

Value value_or_stop(std::optional<Value> value) {
  if (!value) throw brio::StopAsyncIteration();
  return std::move(*value);
}

Coro<Value> anext(Call& c) { co_return value_or_stop(co_await generator(c)->object.next()); }

Coro<Value> aclose(Call& c) {
  const auto target = generator(c);
  co_await target->object.aclose();
  target->progress->finished = true;
  co_return none;
}

Coro<Value> athrow(Call& c) {
  const auto target = generator(c);
  const bool had_finished = target->progress->finished;
  // One that has not begun ends without running.
  if (!target->progress->started) target->progress->finished = true;
  std::optional<Value> value = co_await target->object.athrow(make_error(c.name(1), c.message(2)));
  co_return had_finished ? none : value_or_stop(std::move(value));
}

constexpr std::array table{
    Operation{"agen_new", "n", false, agen_new},
    Operation{"anext", "n", true, nullptr, anext},
    Operation{"aclose", "n", false, nullptr, aclose},
    Operation{"athrow", "nn", true, nullptr, athrow},
};

}  // namespace

std::span<const Operation> generator_operations() { return table; }

Coro<Code> run_async_for(Run& run, const Json& op, Frame& frame) {
  const std::string& slot = op[1].string();
  const std::string label = "async_for " + slot;
  while (true) {
    std::optional<Value> item;
    try {
      item = co_await run.slot_as<std::shared_ptr<Generator>>(slot)->object.next();
    } catch (const Unset&) {
      run.log(label + " = unset");
      co_return Code();
    } catch (...) {
      run.log(label + " = !" + format_error(std::current_exception()));
      throw;
    }
    if (!item) {
      run.log(label + " = None");
      co_return Code();
    }
    run.log(label + " item " + run.format(*item));
    frame.last = std::move(*item);
    Code code = co_await run_block(run, op[2], frame);
    if (code.flow == Code::Flow::break_) co_return Code();
    if (code.flow == Code::Flow::return_) co_return code;
  }
}

}  // namespace conformance
