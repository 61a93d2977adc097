// What Python loops over with `async for` has a next() here: `while (auto x = co_await it.next())`.
#include <brio/brio.hpp>

#include <cstdio>
#include <optional>
#include <string>
#include <utility>
#include <vector>

using namespace std::chrono_literals;

// An asynchronous generator: awaits between its values, keeps its locals from one to the next.
brio::AsyncGenerator<int> pages(int last) {
  for (int page = 1; page <= last; ++page) {
    co_await brio::sleep(1ms);  // ask a server for it
    co_yield page;
  }
}

// Generators stand on one another, as filters in a pipe: nothing is collected in between.
brio::AsyncGenerator<std::string> titles(brio::AsyncGenerator<int> source) {
  while (auto page = co_await source.next()) co_yield "page " + std::to_string(*page);
}

// Clean-up of a generator that is left before its end: aclose() throws GeneratorExit at its yield.
brio::AsyncGenerator<int> naturals() {
  try {
    for (int n = 0;; ++n) co_yield n;
  } catch (const brio::GeneratorExit&) {
    std::puts("nobody wants more");
    throw;  // a generator that goes on to yield here is an error
  }
}

// An iterator of one's own: a class with such a next().
class Countdown {
public:
  explicit Countdown(int from) : left_(from) {}
  brio::Coro<std::optional<int>> next() {
    if (left_ == 0) co_return std::nullopt;
    co_await brio::sleep(1ms);
    co_return left_--;
  }

private:
  int left_;
};

// The lines of a stream, here of one that a task feeds by hand; a connection's reader is the same.
brio::Coro<> lines() {
  const brio::StreamReader reader;
  auto feeding = brio::create_task([reader]() -> brio::Coro<> {
    for (const char* piece : {"one\ntw", "o\n", "three"}) {
      reader.feed_data(piece);
      co_await brio::sleep(1ms);
    }
    reader.feed_eof();
  });
  while (auto line = co_await reader.next()) {
    if (line->ends_with('\n')) line->pop_back();  // the last line may have none
    std::printf("line '%s'\n", line->c_str());
  }
  co_await feeding;
}

brio::Coro<std::string> fetch(std::string name, int turns) {
  for (; turns > 0; --turns) co_await brio::sleep(0ms);  // a turn of the loop each
  co_return name;
}

// as_completed: results in the order in which they are there, not in which they were asked for.
brio::Coro<> fastest_first() {
  std::vector<brio::Coro<std::string>> fetches;
  fetches.push_back(fetch("slow", 5));
  fetches.push_back(fetch("fast", 1));
  auto finished = brio::as_completed(fetches);
  while (auto task = co_await finished.next()) {
    const std::string name = co_await *task;  // done already
    std::printf("%s\n", name.c_str());
  }
}

brio::Coro<> amain() {
  auto pipe = titles(pages(3));
  while (auto title = co_await pipe.next()) std::printf("%s\n", title->c_str());

  auto numbers = naturals();
  while (auto n = co_await numbers.next()) {
    if (*n == 2) break;
    std::printf("number %d\n", *n);
  }
  co_await numbers.aclose();  // else the loop closes it soon after the handle is gone

  Countdown countdown(2);
  while (auto n = co_await countdown.next()) std::printf("%d\n", *n);

  co_await lines();
  co_await fastest_first();
}

int main() { brio::run(amain()); }
