// `async with`: what is taken is given back, on every way out, also when that must await.
#include <brio/brio.hpp>

#include <cstdio>
#include <exception>
#include <string>

using namespace std::chrono_literals;

// What is given back without waiting needs a destructor and nothing more: a lock, a semaphore.
brio::Coro<> deposit(brio::Lock& lock, int& balance, int amount) {
  const auto held = co_await lock.scoped();  // async with lock:
  const int before = balance;
  co_await brio::sleep(1ms);  // nobody else comes in
  balance = before + amount;
}  // released here

// A destructor cannot await. try_finally runs a clean-up that does, however the body ends.
brio::Coro<> save(bool fail) {
  co_await brio::try_finally(
      [&]() -> brio::Coro<> {
        co_await brio::sleep(1ms);
        if (fail) throw brio::ValueError("disk full");
        std::puts("saved");
      },
      []() -> brio::Coro<> {
        co_await brio::sleep(1ms);
        std::puts("unlocked");
      });
}

// A resource of one's own: enter() is __aenter__, exit() is __aexit__.
class Transaction {
public:
  explicit Transaction(std::string name) : name_(std::move(name)) {}

  brio::Coro<std::string> enter() {
    co_await brio::sleep(1ms);  // BEGIN
    co_return name_;
  }
  // `error` is null after a regular end. A coroutine of bool may swallow it by giving true.
  brio::Coro<> exit(std::exception_ptr error) {
    co_await brio::sleep(1ms);  // COMMIT or ROLLBACK
    std::printf("%s: %s\n", name_.c_str(), error ? "rolled back" : "committed");
  }

private:
  std::string name_;
};

brio::Coro<> transfer() {
  // The body gets what enter() gave; its value is the value of the whole.
  const int rows = co_await brio::with(Transaction("first"), [](std::string&) -> brio::Coro<int> {
    co_await brio::sleep(1ms);
    co_return 2;
  });
  std::printf("%d rows\n", rows);

  // Cancelled from outside, here by a deadline: the body ends, exit() still awaits, then the
  // error goes on. The deadline is an object too, which the body can ask and move.
  try {
    co_await brio::timeout(1h, [](brio::Timeout& deadline) -> brio::Coro<> {
      co_await brio::with(Transaction("second"), [&](std::string&) -> brio::Coro<> {
        deadline.reschedule(brio::get_running_loop().time());  // now
        co_await brio::sleep(1h);
      });
    });
  } catch (const brio::TimeoutError&) {
    std::puts("too late");
  }
}

brio::Coro<> amain() {
  // Tasks are a resource as well: the group's block does not end before they have. The body may
  // refer to our variables; the group keeps the closure until then.
  brio::Lock lock;
  int balance = 0;
  co_await brio::task_group([&](brio::TaskGroup& group) -> brio::Coro<> {
    group.create_task(deposit(lock, balance, 10));
    group.create_task(deposit(lock, balance, 20));
    co_return;
  });
  std::printf("balance %d\n", balance);

  co_await save(false);
  try {
    co_await save(true);
  } catch (const brio::ValueError& error) {
    std::printf("%s\n", error.what());
  }
  co_await transfer();
}

int main() { brio::run(amain()); }
