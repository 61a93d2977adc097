#include <brio/brio.hpp>
#include <brio/testing/run_test.hpp>

#include <doctest/doctest.h>

#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

using namespace std::chrono_literals;
using brio::Coro;

namespace {
const brio::ContextVar<int> bare("bare");
const brio::ContextVar<int> var("var", 10);
const brio::ContextVar<std::string> text("text", "none");
}  // namespace

TEST_CASE("get: the value, the fallback, the default, or LookupError") {
  brio::Context().run([] {
    CHECK(var.get() == 10);
    CHECK(var.get(5) == 5);
    CHECK(bare.get(5) == 5);
    CHECK_THROWS_WITH_AS((void)bare.get(), "context variable 'bare' has no value",
                         brio::LookupError);
    var.set(1);
    CHECK(var.get() == 1);
    CHECK(var.get(5) == 1);
    CHECK(var.name() == "var");
  });
  CHECK(var.get() == 10);
}

TEST_CASE("a token gives the old value back, once, to its own variable and context") {
  brio::Context().run([] {
    auto first = bare.set(1);
    auto second = bare.set(2);
    CHECK(!first.old_value());
    CHECK(second.old_value() == 1);
    CHECK_THROWS_AS(var.reset(first), brio::ValueError);
    brio::Context other = brio::copy_context();
    other.run([&] {
      CHECK(bare.get() == 2);
      CHECK_THROWS_WITH_AS(bare.reset(second), "token was created in a different Context",
                           brio::ValueError);
    });
    bare.reset(second);
    CHECK(bare.get() == 1);
    CHECK_THROWS_WITH_AS(bare.reset(second), "this token has already been used once",
                         brio::RuntimeError);
    bare.reset(first);
    CHECK_THROWS_AS((void)bare.get(), brio::LookupError);
  });
}

TEST_CASE("contexts: copies are apart, handles are the same, run is not reentrant") {
  brio::Context context;
  CHECK(context.size() == 0);
  const int result = context.run([&] {
    var.set(1);
    text.set("a");
    CHECK_THROWS_AS(context.run([] {}), brio::RuntimeError);
    brio::Context inner = brio::copy_context();
    CHECK(!(inner == context));
    inner.run([] { var.set(2); });
    CHECK(inner.get(var) == 2);
    return var.get();
  });
  CHECK(result == 1);
  CHECK(context.size() == 2);
  CHECK(context.get(var) == 1);
  CHECK(!context.get(bare));
  const brio::Context same = context;  // NOLINT(performance-unnecessary-copy-initialization)
  CHECK(same == context);
  brio::Context copy = context.copy();
  copy.run([] { text.set("b"); });
  CHECK(context.get(text) == "a");
  CHECK(copy.get(text) == "b");
  CHECK_THROWS_WITH(context.run([] { throw std::runtime_error("out"); }), "out");
  context.run([] { CHECK(text.get() == "a"); });  // left, though by an error
}

TEST_CASE("tasks get a copy when they are made; a plain await shares") {
  brio::testing::run_test([]() -> Coro<> {
    const auto change = []() -> Coro<int> {
      const int before = var.get();
      var.set(before + 1);
      co_await brio::yield_now();
      co_return before;
    };
    var.set(1);
    auto task = brio::create_task(change());
    var.set(50);
    const int in_task = co_await task;
    CHECK(in_task == 1);
    CHECK(var.get() == 50);
    CHECK(task.get_context().get(var) == 2);
    const int in_place = co_await change();
    CHECK(in_place == 50);
    CHECK(var.get() == 51);

    brio::Context own;
    const int given = co_await brio::create_task(change(), {.context = own});
    CHECK(given == 10);
    CHECK(own.get(var) == 11);
    const int again = co_await brio::create_task(change(), {.context = own});
    CHECK(again == 11);
  });
}

TEST_CASE("done-callbacks run in the context of their registration") {
  brio::testing::run_test([]() -> Coro<> {
    auto future = brio::create_future<>();
    std::vector<int> seen;
    var.set(1);
    future.add_done_callback([&] {
      seen.push_back(var.get());
      var.set(99);
    });
    brio::Context own;
    own.run([] { var.set(7); });
    future.add_done_callback([&] { seen.push_back(var.get()); }, {.context = own});
    var.set(2);
    future.set_result();
    co_await brio::yield_now();
    CHECK(seen == std::vector<int>{1, 7});
    CHECK(var.get() == 2);
  });
}

TEST_CASE("a token of a task is refused in another one; a thread has a context of its own") {
  brio::testing::run_test([]() -> Coro<> {
    std::optional<brio::Token<int>> token;
    const auto sets = [](std::optional<brio::Token<int>>& out) -> Coro<> {
      out = var.set(3);
      co_return;
    };
    co_await brio::create_task(sets(token));
    CHECK_THROWS_AS(var.reset(*token), brio::ValueError);
    var.set(4);
    int in_thread = 0;
    std::thread([&] { in_thread = var.get(); }).join();
    CHECK(in_thread == 10);
  });
}

TEST_CASE("values live as long as a context that has them") {
  static const brio::ContextVar<std::shared_ptr<int>> holder("holder", nullptr);
  const auto value = std::make_shared<int>(1);
  {
    brio::Context context;
    context.run([&] { holder.set(value); });
    const brio::Context copy = context.copy();
    CHECK(value.use_count() == 2);
    context.run([] { holder.set(nullptr); });
    CHECK(value.use_count() == 2);
  }
  CHECK(value.use_count() == 1);
}
