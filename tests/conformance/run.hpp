// One run of one conformance program: its slots, names and trace.
#pragma once

#include "bad_program.hpp"
#include "clock.hpp"
#include "json.hpp"
#include "slots.hpp"
#include "value.hpp"

#include <brio/core/context.hpp>
#include <brio/core/coro.hpp>
#include <brio/core/loop.hpp>
#include <brio/core/runner.hpp>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

namespace conformance {

/// An operation names a slot that nothing was stored in yet: it is skipped (SPEC.md §1).
struct Unset {};

class Run {
public:
  explicit Run(const Json& program);
  Run(const Run&) = delete;
  Run& operator=(const Run&) = delete;
  ~Run();

  /// Runs the program to its end and gives the trace; to be called once. Throws BadProgram, also
  /// for what a task or a callback ran into.
  [[nodiscard]] std::vector<std::string> trace();

  // ---- names and the trace

  /// Appends `<time> <who> <text>`.
  void log(const std::string& text);
  [[nodiscard]] std::string format(const Value& value) const;
  /// As format, but a string stands bare.
  [[nodiscard]] std::string text(const Value& value) const;
  /// `pending`, `cancelled`, `result <v>` or `exception E`.
  [[nodiscard]] std::string state(const brio::AnyFuture& future) const;
  /// What future.result() gives.
  [[nodiscard]] Value result(const brio::AnyFuture& future) const;

  // ---- slots and variables

  /// Throws Unset for an empty slot.
  [[nodiscard]] Object slot(const std::string& name) const;
  /// The same as a T; BadProgram if it is something else.
  template <class T>
  [[nodiscard]] T slot_as(const std::string& name) const;
  /// A slot that holds a future or task.
  [[nodiscard]] brio::AnyFuture future(const std::string& name) const {
    return slot_as<brio::AnyFuture>(name);
  }
  /// A slot that holds a task.
  [[nodiscard]] brio::AnyTask task(const std::string& name) const;
  [[nodiscard]] bool has_slot(const std::string& name) const;
  /// Stores. What was there is kept alive to the end, as Python does for whoever still waits on it.
  void store(const std::string& name, Object object);
  /// Stores a future: it prints under the first slot that it was stored in.
  void store_future(const std::string& name, const brio::Future<Value>& future);
  /// The same of another type (a gather's); `value` gives its result.
  void store_future(const std::string& name, const brio::AnyFuture& future,
                    std::function<Value()> value);
  /// Is it a Future<Value>? Tasks are, and all that was stored as one.
  [[nodiscard]] bool is_value_future(const brio::AnyFuture& future) const;
  [[nodiscard]] Object make_object(const Json& specification);
  void create(const std::string& slot_name, const Json& specification);

  [[nodiscard]] Value variable(const std::string& name) const;
  void set_variable(const std::string& name, Value value) { variables_[name] = std::move(value); }
  [[nodiscard]] const brio::ContextVar<Value>& context_variable(const std::string& name) const;

  // ---- coroutines and callbacks

  /// A new coroutine object of the program's coroutine `name`. `depth` tells how many calls have
  /// led there.
  [[nodiscard]] brio::Coro<Value> coroutine(const std::string& name, int depth = 0);
  /// Runs the operations of callback `name`.
  void run_callback(const std::string& name);
  [[nodiscard]] const Json& generator(const std::string& name) const;

  [[nodiscard]] brio::EventLoop& loop() const { return *loop_; }
  [[nodiscard]] std::int64_t now() const { return to_ms(now_); }
  [[nodiscard]] brio::AnyTask main_task() const { return tasks_.front().task; }

private:
  struct TaskRecord {
    std::string name;
    bool listed;
    brio::AnyTask task;
  };
  struct FutureRecord {
    brio::AnyFuture future;
    std::string name;
    std::function<Value()> value;  // null: it is a Future<Value>
  };
  /// While a coroutine object exists that no task has been made of, its address is known by name.
  class Pending {
  public:
    Pending(Run& run, std::string name) : run_(&run), name_(std::move(name)) {}
    Pending(Pending&& other) noexcept = default;
    Pending& operator=(Pending&&) = delete;
    ~Pending() { forget(); }
    void forget() noexcept;
    /// Where to write the coroutine's address once it exists.
    [[nodiscard]] std::shared_ptr<const void*> address() const noexcept { return address_; }
    [[nodiscard]] const std::string& name() const noexcept { return name_; }

  private:
    Run* run_;
    std::string name_;
    std::shared_ptr<const void*> address_ = std::make_shared<const void*>(nullptr);
  };

  [[nodiscard]] static brio::Coro<Value> body(Run& run, Pending pending, int depth);
  [[nodiscard]] std::string who() const;
  [[nodiscard]] brio::AnyTask make_task(brio::TaskRequest& request);
  void on_exception(const brio::ExceptionContext& context);
  void step();
  [[nodiscard]] brio::LoopPtr make_loop();
  [[nodiscard]] std::string run_to_the_end(brio::Runner& runner);

  const Json& program_;
  std::int64_t limit_;
  std::int64_t steps_ = 0;
  bool eager_;
  std::int64_t active_ = 0;       // coroutines that have begun and not ended
  std::int64_t eager_depth_ = 0;  // tasks whose eager first step is under way
  bool over_ = false;             // nothing is logged any more
  std::vector<std::string> lines_;
  std::map<std::string, Value> variables_;
  std::map<std::string, std::unique_ptr<brio::ContextVar<Value>>> context_variables_;
  std::unordered_map<std::string, int> name_count_;
  std::unordered_map<const void*, std::string> pending_;  // by coroutine address
  std::vector<TaskRecord> tasks_;
  brio::TimePoint now_{};
  brio::EventLoop* loop_ = nullptr;
  // Destroyed after the loop was closed, in which frames still refer to them.
  std::map<std::string, Object> slots_;
  std::vector<Object> replaced_;
  std::unordered_map<const void*, FutureRecord> futures_;
};

template <class T>
T Run::slot_as(const std::string& name) const {
  const Object object = slot(name);
  const T* found = std::get_if<T>(&object);
  if (!found) throw BadProgram("slot " + name + " holds something else");
  return *found;
}

}  // namespace conformance
