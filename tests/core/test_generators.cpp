#include "support.hpp"

#include <brio/brio.hpp>
#include <brio/testing/run_test.hpp>

#include <doctest/doctest.h>

#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

using namespace std::chrono_literals;
using brio::AsyncGenerator;
using brio::Coro;
using brio::Generator;
using Lines = std::vector<std::string>;
using Numbers = std::vector<int>;

namespace {

Generator<int> count(int from, int to) {
  for (int i = from; i < to; ++i) co_yield i;
}

Generator<int> tree(int depth) {
  if (depth == 0) co_return;
  co_yield tree(depth - 1);
  co_yield depth;
  co_yield tree(depth - 1);
}

// One value at the bottom of `depth` generators, then one at the top.
Generator<int> nested(int depth, std::shared_ptr<int> alive = {}) {
  if (depth == 0)
    co_yield -1;
  else
    co_yield nested(depth - 1, alive);
  co_yield depth;
}

Generator<int> fails_at(int depth) {
  if (depth == 0) throw std::runtime_error("bottom");
  co_yield fails_at(depth - 1);
}

Numbers all(Generator<int> generator) {
  Numbers values;
  for (const int value : generator) values.push_back(value);
  return values;
}

AsyncGenerator<int> ticks(int n, Lines* trace = nullptr) {
  struct Note {
    Lines* trace;
    ~Note() {
      if (trace) trace->emplace_back("finally");
    }
  } const note{trace};
  for (int i = 0; i < n; ++i) {
    co_await brio::sleep(1s);
    co_yield i;
  }
}

}  // namespace

TEST_CASE("a generator is lazy, yields by range or by next, and ends once") {
  CHECK(all(count(1, 4)) == Numbers{1, 2, 3});
  CHECK(all(count(1, 1)).empty());
  Generator<int> generator = count(0, 2);
  CHECK(generator.next() == 0);
  CHECK(generator.next() == 1);
  CHECK(!generator.next());
  CHECK(!generator.next());
  CHECK(!Generator<int>().next());

  bool ran = false;
  const auto lazy = [](bool& flag) -> Generator<int> {
    flag = true;
    co_yield 1;
  };
  {
    auto unused = lazy(ran);
  }
  CHECK(!ran);
}

TEST_CASE("yield from: nested generators give their values in order") {
  CHECK(all(tree(3)) == Numbers{1, 2, 1, 3, 1, 2, 1});
  Generator<int> begun = nested(2);
  CHECK(begun.next() == -1);
  // One that has been begun, and stands in a nested one of its own, goes on from there.
  const auto from = [](Generator<int> rest) -> Generator<int> {
    co_yield 100;
    co_yield std::move(rest);
    co_yield Generator<int>();
    co_yield 200;
  };
  CHECK(all(from(std::move(begun))) == Numbers{100, 0, 1, 2, 200});
}

TEST_CASE("deep recursion uses no stack: to yield, to end, to fail and to be destroyed") {
  constexpr int depth = 100'000;
  {
    Generator<int> deep = nested(depth);
    CHECK(deep.next() == -1);
    for (int i = 0; i < depth; ++i) (void)deep.next();
    CHECK(deep.next() == depth);
    CHECK(!deep.next());
  }
  CHECK_THROWS_WITH((void)fails_at(depth).next(), "bottom");
  const auto alive = std::make_shared<int>(0);
  {
    Generator<int> left = nested(depth, alive);
    CHECK(left.next() == -1);
    CHECK(alive.use_count() > depth);
  }
  CHECK(alive.use_count() == 1);
}

TEST_CASE("an error passes the generators that yield from it, and may be caught by one") {
  const auto catches = []() -> Generator<int> {
    std::string text;
    try {
      co_yield fails_at(2);
    } catch (const std::runtime_error& e) {
      text = e.what();
    }
    if (text == "bottom") co_yield 7;
  };
  CHECK(all(catches()) == Numbers{7});
  Generator<int> failed = fails_at(0);
  CHECK_THROWS_WITH((void)failed.next(), "bottom");
  CHECK(!failed.next());
}

TEST_CASE("a generator that asks itself for a value is told") {
  Generator<int> self;
  const auto asks = [](Generator<int>* me) -> Generator<int> { co_yield me->next().value_or(0); };
  self = asks(&self);
  CHECK_THROWS_WITH_AS((void)self.next(), "generator already executing", brio::ValueError);
}

TEST_CASE("an async generator awaits in between, and next gives nothing at its end") {
  brio::testing::run_test([]() -> Coro<> {
    const auto begin = brio::get_running_loop().time();
    Numbers values;
    auto generator = ticks(3);
    while (auto value = co_await generator.next()) values.push_back(*value);
    CHECK(values == Numbers{0, 1, 2});
    CHECK(brio::get_running_loop().time() - begin == 3s);
    const auto after = co_await generator.next();
    CHECK(!after);
  });
}

TEST_CASE("aclose runs the clean-up, also twice and before the start") {
  brio::testing::run_test([]() -> Coro<> {
    Lines trace;
    auto generator = ticks(3, &trace);
    (void)co_await generator.next();
    co_await generator.aclose();
    CHECK(trace == Lines{"finally"});
    co_await generator.aclose();
    const auto after = co_await generator.next();
    CHECK(!after);
    auto unstarted = ticks(3, &trace);
    co_await unstarted.aclose();
    const auto none = co_await unstarted.next();
    CHECK(!none);
    CHECK(trace == Lines{"finally"});
  });
}

TEST_CASE("athrow arrives at the yield; the body may go on, end, or let it pass") {
  brio::testing::run_test([]() -> Coro<> {
    const auto resilient = []() -> AsyncGenerator<std::string> {
      for (;;) {
        std::string caught;
        try {
          co_yield "value";
        } catch (const brio::ValueError& e) {
          caught = e.what();
        }
        if (caught == "end") co_return;
        if (!caught.empty()) co_yield "caught " + caught;
      }
    };
    auto generator = resilient();
    (void)co_await generator.next();
    auto value = co_await generator.athrow(brio::ValueError("it"));
    CHECK(value == "caught it");
    (void)co_await generator.next();
    value = co_await generator.athrow(brio::ValueError("end"));
    CHECK(!value);

    auto other = resilient();
    (void)co_await other.next();
    const auto outcome = co_await brio::as_outcome(other.athrow(brio::TypeError("not mine")));
    CHECK(outcome.error_as<brio::TypeError>().has_value());
    const auto ended = co_await other.next();
    CHECK(!ended);
  });
}

TEST_CASE("a generator that yields while it is closed, or is driven twice at once, is told") {
  brio::testing::run_test([]() -> Coro<> {
    const auto stubborn = []() -> AsyncGenerator<int> {
      try {
        co_yield 1;
      } catch (const brio::GeneratorExit&) {
      }
      co_yield 2;
    };
    auto generator = stubborn();
    (void)co_await generator.next();
    const auto ignored = co_await brio::as_outcome(generator.aclose());
    REQUIRE(ignored.error_as<brio::RuntimeError>());
    CHECK(brio::describe(ignored.error()) == "async generator ignored GeneratorExit");

    auto slow = ticks(2);
    const auto step = [](AsyncGenerator<int>& of) -> Coro<> { (void)co_await of.next(); };
    auto first = brio::create_task(step(slow));
    co_await brio::yield_now();
    const auto second = co_await brio::as_outcome(slow.next());
    CHECK(brio::describe(second.error()) == "anext(): asynchronous generator is already running");
    co_await first;
  });
}

TEST_CASE("one dropped in the middle is closed by its loop, with clean-up that awaits") {
  brio::testing::run_test([]() -> Coro<> {
    Lines trace;
    const auto cleans = [](Lines& out) -> AsyncGenerator<int> {
      bool closing = false;
      try {
        co_yield 1;
      } catch (const brio::GeneratorExit&) {
        closing = true;
      }
      if (!closing) co_return;
      co_await brio::sleep(1s);
      out.emplace_back("cleaned up");
    };
    {
      auto generator = cleans(trace);
      (void)co_await generator.next();
    }
    CHECK(trace.empty());
    co_await brio::sleep(2s);
    CHECK(trace == Lines{"cleaned up"});
  });
}

TEST_CASE(
    "shutdown_asyncgens closes what is open and reports what fails; later ones are warned of") {
  const support::CapturedLog log;
  Lines trace;
  Lines reports;
  AsyncGenerator<int> open = ticks(5, &trace);
  const auto fails_to_close = []() -> AsyncGenerator<int> {
    try {
      co_yield 1;
    } catch (const brio::GeneratorExit&) {
      throw std::runtime_error("no");
    }
  };
  AsyncGenerator<int> failing = fails_to_close();
  AsyncGenerator<int> late = ticks(5);
  const auto loop = brio::testing::virtual_loop();
  loop->set_exception_handler([&](brio::EventLoop&, const brio::ExceptionContext& context) {
    CHECK(
        context.message.starts_with("an error occurred during closing of asynchronous generator "));
    reports.push_back(brio::describe(context.exception));
  });
  const auto begin = [](AsyncGenerator<int>& of) -> Coro<> { (void)co_await of.next(); };
  loop->run_until_complete(begin(open));
  loop->run_until_complete(begin(failing));
  loop->run_until_complete(loop->shutdown_asyncgens());
  CHECK(trace == Lines{"finally"});
  CHECK(reports == Lines{"no"});
  CHECK(support::CapturedLog::take().empty());
  loop->run_until_complete(begin(late));
  const Lines lines = support::CapturedLog::take();
  REQUIRE(lines.size() == 1);
  CHECK(lines[0].ends_with(" was scheduled after loop.shutdown_asyncgens() call"));
}

TEST_CASE("an async generator that outlives its loop is destroyed quietly") {
  Lines trace;
  AsyncGenerator<int> kept = ticks(5, &trace);
  {
    const auto loop = brio::testing::virtual_loop();
    loop->run_until_complete(
        [](AsyncGenerator<int>& of) -> Coro<> { (void)co_await of.next(); }(kept));
  }
  CHECK(trace.empty());
  kept = AsyncGenerator<int>();
  CHECK(trace == Lines{"finally"});
}

TEST_CASE("cancelling the consumer is thrown inside the generator, and ends it") {
  brio::testing::run_test([]() -> Coro<> {
    Lines trace;
    auto generator = ticks(5, &trace);
    const auto consume = [](AsyncGenerator<int>& of) -> Coro<> {
      while (co_await of.next()) {
      }
    };
    auto task = brio::create_task(consume(generator));
    co_await brio::sleep(1500ms);
    task.cancel();
    const auto outcome = co_await brio::as_outcome(task);
    CHECK(outcome.cancelled());
    CHECK(trace == Lines{"finally"});
    const auto ended = co_await generator.next();
    CHECK(!ended);
  });
}
