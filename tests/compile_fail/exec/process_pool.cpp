// What cannot go to another process does not compile: state of this one, addresses, coroutines.
#include <brio/exec/process_pool.hpp>
#include <brio/core/coro.hpp>

#include <map>
#include <string>
#include <vector>

struct Handle {
  int* memory;
};
int take(Handle handle);
int take_many(const std::vector<Handle>& handles);
Handle give();
void change(std::string& text);
int square(int x);
brio::Coro<int> answer();

//! compiles: functions, lambdas without captures, function objects without state, names
void good(brio::ProcessPoolExecutor& pool, const std::vector<int>& numbers) {
  (void)pool.submit(square, 1);
  (void)pool.submit([](int x) { return x; }, 1);
  (void)pool.submit(std::less<>(), 1, 2);
  (void)pool.submit(brio::registered<int(int)>("square"), 1);
  (void)pool.map(square, numbers);
  (void)brio::run_in_executor(&pool, square, 1);
}

//! refused: a lambda that captures
//! error: only a function, a lambda without captures or a registered function
void bad(brio::ProcessPoolExecutor& pool) {
  int y = 1;
  (void)pool.submit([y](int x) { return x + y; }, 1);
}

//! refused: a lambda that captures, from a loop
//! error: only a function, a lambda without captures or a registered function
void bad(brio::ProcessPoolExecutor& pool) {
  int y = 1;
  (void)brio::run_in_executor(&pool, [&y](int x) { return x + y; }, 1);
}

//! refused: a member function
//! error: only a function, a lambda without captures or a registered function
void bad(brio::ProcessPoolExecutor& pool) {
  (void)pool.submit(&std::string::size, std::string("x"));
}

//! refused: an argument that is no value
//! error: an argument of this type cannot be sent to another process
void bad(brio::ProcessPoolExecutor& pool) { (void)pool.submit(take, Handle{}); }

//! refused: an argument that has one inside
//! error: an argument of this type cannot be sent to another process
void bad(brio::ProcessPoolExecutor& pool) { (void)pool.submit(take_many, std::vector<Handle>()); }

//! refused: a pointer
//! error: an argument of this type cannot be sent to another process
void bad(brio::ProcessPoolExecutor& pool, int* p) {
  (void)pool.submit([](int* q) { return *q; }, p);
}

//! refused: a result that is no value
//! error: a result of this type cannot come from another process
void bad(brio::ProcessPoolExecutor& pool) { (void)pool.submit(give); }

//! refused: a parameter that the caller should see changed
//! error: it cannot take a reference to something that it may change
void bad(brio::ProcessPoolExecutor& pool) { (void)pool.submit(change, std::string()); }

//! refused: too few arguments
//! error: the function takes another number of arguments
void bad(brio::ProcessPoolExecutor& pool) { (void)pool.submit(square); }

//! refused: a coroutine function
//! error: a coroutine runs in a loop; send a function that calls brio::run
void bad(brio::ProcessPoolExecutor& pool) { (void)pool.submit(answer); }

//! refused: an initializer that captures
//! error: only a function, a lambda without captures or a registered function
void bad(int y) {
  const brio::ProcessPoolExecutor pool({.initializer = [y] { (void)y; }});
}

//! refused: a pool given to a function that takes any executor
//! error: no matching function
void any(brio::Executor& executor);
void bad(brio::ProcessPoolExecutor& pool) { any(pool); }
