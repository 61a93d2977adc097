#include "run.hpp"

#include "errors.hpp"
#include "grammar.hpp"
#include "interp.hpp"

#include <brio/core/runner.hpp>

#include <algorithm>
#include <utility>

namespace conformance {

namespace {
const Json& checked(const Json& program) {
  BadProgram::first.reset();
  check_program(program);
  return program;
}
}  // namespace

Run::Run(const Json& program)
    : program_(checked(program)),
      limit_(program["limit"].is_null() ? 5000 : program["limit"].integer()),
      eager_(program["eager"].is_bool() && program["eager"].boolean()) {
  if (program["vars"].is_object())
    for (const auto& [name, value] : program["vars"].object()) set_variable(name, Value(value));
  if (program["ctx"].is_object())
    for (const auto& [name, value] : program["ctx"].object())
      context_variables_[name] = std::make_unique<brio::ContextVar<Value>>(name, Value(value));
}

Run::~Run() = default;

// ---- names and the trace

std::string Run::who() const {
  const brio::AnyTask task = brio::current_task();
  return task ? task.get_name() : "-";
}

void Run::log(const std::string& text) {
  if (!over_) lines_.push_back(std::to_string(now()) + " " + who() + " " + text);
}

std::string Run::format(const Value& value) const {
  if (const auto* text = value.get_if<std::string>()) return "'" + *text + "'";
  if (const auto* boolean = value.get_if<bool>()) return *boolean ? "True" : "False";
  if (const auto* integer = value.get_if<std::int64_t>()) return std::to_string(*integer);
  if (const auto* error = value.get_if<std::exception_ptr>()) return format_error(*error);
  if (const auto* list = value.get_if<List>()) {
    std::string text = "[";
    for (std::size_t i = 0; i < list->size(); ++i) text += (i > 0 ? ", " : "") + format((*list)[i]);
    return text + "]";
  }
  if (const auto* future = value.get_if<brio::AnyFuture>()) {
    if (future->is_task()) return "<" + as_task(*future).get_name() + ">";
    const auto known = futures_.find(future->state());
    return "<" + (known == futures_.end() ? "?" : known->second.name) + ">";
  }
  return "None";
}

std::string Run::text(const Value& value) const {
  const auto* text = value.get_if<std::string>();
  return text ? *text : format(value);
}

std::string Run::state(const brio::AnyFuture& future) const {
  if (!future.done()) return "pending";
  if (future.cancelled()) return "cancelled";
  if (const std::exception_ptr error = future.exception())
    return "exception " + format_error(error);
  return "result " + format(result(future));
}

Value Run::result(const brio::AnyFuture& future) const {
  if (is_value_future(future)) return as_value_future(future).result();
  return futures_.at(future.state()).value();
}

bool Run::is_value_future(const brio::AnyFuture& future) const {
  if (future.is_task()) return true;
  const auto known = futures_.find(future.state());
  if (known == futures_.end()) throw BadProgram("a future that no slot has held");
  return !known->second.value;
}

// ---- slots and variables

Object Run::slot(const std::string& name) const {
  if (name == "@self") return brio::AnyFuture(brio::current_task());
  if (name == "@main") return brio::AnyFuture(main_task());
  const auto found = slots_.find(name);
  if (found == slots_.end()) throw Unset();
  return found->second;
}

bool Run::has_slot(const std::string& name) const {
  return name == "@self" || name == "@main" || slots_.contains(name);
}

brio::AnyTask Run::task(const std::string& name) const {
  const brio::AnyFuture found = future(name);
  if (!found.is_task()) throw BadProgram("slot " + name + " holds no task");
  return as_task(found);
}

void Run::store(const std::string& name, Object object) {
  Object& place = slots_[name];
  replaced_.push_back(std::exchange(place, std::move(object)));
}

void Run::store_future(const std::string& name, const brio::Future<Value>& future) {
  store_future(name, future, nullptr);
}

void Run::store_future(const std::string& name, const brio::AnyFuture& future,
                       std::function<Value()> value) {
  store(name, future);
  if (!future.is_task()) futures_.try_emplace(future.state(), future, name, std::move(value));
}

void Run::create(const std::string& slot_name, const Json& specification) {
  Object object = make_object(specification);
  if (const auto* future = std::get_if<brio::AnyFuture>(&object))
    store_future(slot_name, as_value_future(*future));
  else
    store(slot_name, std::move(object));
}

Value Run::variable(const std::string& name) const {
  const auto found = variables_.find(name);
  return found == variables_.end() ? Value(std::int64_t{0}) : found->second;
}

const brio::ContextVar<Value>& Run::context_variable(const std::string& name) const {
  const auto found = context_variables_.find(name);
  if (found == context_variables_.end()) throw BadProgram("no context variable " + name);
  return *found->second;
}

// ---- coroutines and callbacks

void Run::Pending::forget() noexcept {
  if (address_ && *address_) run_->pending_.erase(std::exchange(*address_, nullptr));
}

// Python ends a recursion with a RecursionError, whose depth depends on the interpreter. Here it is
// no program.
namespace {
constexpr int max_calls = 1000;
constexpr std::int64_t max_eager = 100;
constexpr std::int64_t max_active = 10'000;

[[noreturn]] void throw_endless() { throw BadProgram("coroutines nest without end"); }

class Counted {
public:
  Counted(std::int64_t& counter, std::int64_t limit) : counter_(counter) {
    if (counter_ >= limit) throw_endless();
    ++counter_;
  }
  Counted(const Counted&) = delete;
  Counted& operator=(const Counted&) = delete;
  ~Counted() { --counter_; }

private:
  std::int64_t& counter_;
};
}  // namespace

brio::Coro<Value> Run::coroutine(const std::string& name, int depth) {
  Pending pending(*this, name);
  const std::shared_ptr<const void*> address = pending.address();
  brio::Coro<Value> coro = body(*this, std::move(pending), depth);
  *address = coro.address();
  pending_[coro.address()] = name;
  return coro;
}

brio::Coro<Value> Run::body(Run& run, Pending pending, int depth) {
  pending.forget();
  if (depth > max_calls) throw_endless();
  const Counted active(run.active_, std::max(max_active, run.limit_));
  const std::string& name = pending.name();
  run.log("enter " + name);
  Frame frame;
  frame.depth = depth;
  Code code;
  try {
    code = co_await run_block(run, run.program_["coros"][name], frame);
  } catch (...) {
    run.log("exit " + name + " = !" + format_error(std::current_exception()));
    throw;
  }
  run.log("exit " + name + " = " + run.format(code.value));
  co_return std::move(code.value);
}

const Json& Run::generator(const std::string& name) const { return program_["agens"][name]; }

namespace {
brio::Coro<void> callback_body(Run& run, const Json& ops, std::exception_ptr& error) {
  try {
    Frame frame;
    co_await run_block(run, ops, frame);
  } catch (...) {
    error = std::current_exception();
  }
}
}  // namespace

// Its operations never suspend, so the coroutine is at its end after one resumption. No task runs.
void Run::run_callback(const std::string& name) {
  std::exception_ptr error;
  const auto frame = callback_body(*this, program_["callbacks"][name], error).release();
  frame.resume();
  const bool ended = frame.done();
  frame.destroy();
  if (!ended) throw BadProgram("callback " + name + " suspends");
  if (error && look_at(error).message.starts_with("await outside of a task"))
    throw BadProgram("callback " + name + " suspends");
  if (error) std::rethrow_exception(error);
}

// ---- running

void Run::step() {
  if (over_ || BadProgram::first || ++steps_ > limit_) throw StepLimit();
}

brio::AnyTask Run::make_task(brio::TaskRequest& request) {
  std::string name;
  bool listed = true;
  const auto known = pending_.find(request.coro_address());
  if (known == pending_.end()) {  // made by the library for its own use
    name = "~aclose";
    listed = false;
  } else {
    const bool first = tasks_.empty();
    const bool by_program = first || request.options.name;
    const std::string base = first        ? "main"
                             : by_program ? *request.options.name
                                          : known->second + "~";
    const int count = ++name_count_[base];
    name = base;
    if (!by_program)
      name += std::to_string(count);
    else if (count > 1)
      name += "#" + std::to_string(count);
    pending_.erase(known);
  }
  const std::size_t index = tasks_.size();
  tasks_.push_back({name, listed, {}});
  request.options.name = name;
  if (eager_) request.options.eager_start = true;
  const Counted eager(eager_depth_, max_eager);
  brio::AnyTask task = request.start();
  tasks_[index].task = task;
  return task;
}

void Run::on_exception(const brio::ExceptionContext& context) {
  if (over_) return;
  std::string kind;
  if (context.message.starts_with("Exception in callback"))
    kind = "callback";
  else if (context.message == "unhandled exception during brio::run() shutdown")
    kind = "shutdown " + format(Value(brio::AnyFuture(context.task)));
  else if (context.message.starts_with(
               "an error occurred during closing of asynchronous generator"))
    kind = "asyncgen";
  else
    return;  // never retrieved, destroyed but pending: CPython's depend on its collector
  lines_.push_back(std::to_string(now()) + " - handler " + kind + " = !" +
                   format_error(context.exception));
}

brio::LoopPtr Run::make_loop() {
  brio::LoopPtr loop = brio::new_event_loop(std::make_unique<VirtualEngine>(now_));
  loop_ = loop.get();
  loop->set_exception_handler(
      [this](brio::EventLoop&, const brio::ExceptionContext& context) { on_exception(context); });
  loop->set_task_factory(
      [this](brio::EventLoop&, brio::TaskRequest& request) { return make_task(request); });
  loop->set_step_hook([this] { step(); });
  if (program_["objects"].is_object())
    for (const auto& [name, specification] : program_["objects"].object())
      create(name, specification);
  return loop;
}

std::string Run::run_to_the_end(brio::Runner& runner) {
  std::string end;
  try {
    (void)runner.get_loop();
    try {
      end = "run = " + format(runner.run(coroutine("main")));
    } catch (const Deadlock&) {
      throw;
    } catch (const StepLimit&) {
      throw;
    } catch (const BadProgram&) {
      throw;
    } catch (...) {
      end = "run = !" + format_error(std::current_exception());
    }
    runner.close();
  } catch (const Deadlock&) {
    end = "DEADLOCK";
  } catch (const StepLimit&) {
    end = "STEP LIMIT";
  }
  return end;
}

std::vector<std::string> Run::trace() {
  brio::Runner runner({.loop_factory = [this] { return make_loop(); }});
  lines_.push_back(run_to_the_end(runner));
  if (BadProgram::first) throw BadProgram(*BadProgram::first);
  for (const TaskRecord& record : tasks_)
    if (record.listed) lines_.push_back("task " + record.name + " " + state(record.task));
  lines_.push_back("end " + std::to_string(now()));
  over_ = true;
  return std::move(lines_);
}

}  // namespace conformance
