// Calls that travel to another process of the same program: which function, with which arguments.
//
// A function goes as its place in the program, not as its code: a plain function, a lambda without
// captures, a function object without state, or a function registered by a name. A closure's
// captures would be addresses of this process; that does not compile.
#pragma once

#include <brio/core/coro.hpp>
#include <brio/exec/serialize.hpp>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <typeinfo>
#include <utility>
#include <vector>

namespace brio {

namespace detail {

using AnyFunction = void (*)();
/// Runs in the worker: reads the arguments, makes the call, writes the result.
using RunCall = void (*)(AnyFunction function, serial::Reader& arguments, serial::Writer& result);

/// How a value of type T travels: what it shows, where T only shows something.
template <class T>
struct Sent {
  using type = std::remove_cvref_t<T>;
};
template <>
struct Sent<std::string_view> {
  using type = std::string;
};
template <>
struct Sent<const char*> {
  using type = std::string;
};
template <class T, std::size_t n>
struct Sent<std::span<const T, n>> {
  using type = std::vector<T>;
};
template <class T>
using sent_t = typename Sent<std::decay_t<T>>::type;

template <class R, class Arguments>
struct Signature;
template <class R, class... As>
struct Signature<R, std::tuple<As...>> {
  static_assert(!iscoroutine_v<R>,
                "brio: a coroutine runs in a loop; send a function that calls brio::run");
  static_assert((serial::Serializable<As> && ...),
                "brio: an argument of this type cannot be sent to another process; see "
                "<brio/exec/serialize.hpp>");
  using Result = sent_t<R>;
  static_assert(std::is_void_v<Result> || serial::Serializable<Stored<Result>>,
                "brio: a result of this type cannot come from another process; see "
                "<brio/exec/serialize.hpp>");

  template <class... Args>
  static void write(serial::Writer& writer, Args&&... args) {
    static_assert(sizeof...(As) == sizeof...(Args),
                  "brio: the function takes another number of arguments");
    if constexpr (sizeof...(As) == sizeof...(Args)) (write_one<As>(writer, args), ...);
  }
  template <class F>
  static void call(const F& function, serial::Reader& reader, serial::Writer& writer) {
    static_assert(std::is_invocable_v<const F&, As...>,
                  "brio: the function is called with copies: it cannot take a reference to "
                  "something that it may change");
    auto arguments =
        serial::detail::read_tuple<std::tuple<As...>>(reader, std::index_sequence_for<As...>());
    if constexpr (std::is_void_v<Result>) {
      std::apply(function, std::move(arguments));
      writer(std::monostate());
    } else {
      decltype(auto) result = std::apply(function, std::move(arguments));
      write_one<Result>(writer, result);
    }
  }

private:
  template <class A, class Arg>
  static void write_one(serial::Writer& writer, Arg& arg) {
    if constexpr (std::is_same_v<A, std::remove_cv_t<Arg>>)
      writer(arg);
    else if constexpr (std::is_convertible_v<Arg&, A>)
      writer(static_cast<const A&>(A(arg)));
    else if constexpr (requires { A(std::begin(arg), std::end(arg)); })
      writer(A(std::begin(arg), std::end(arg)));
    else
      static_assert(!sizeof(Arg), "brio: an argument does not fit the function's parameter");
  }
};

/// The RunCall functions of one function type: for one call, and for a chunk of map's.
template <class S, class Make>
struct Run {
  static void once(AnyFunction function, serial::Reader& reader, serial::Writer& writer) {
    S::call(Make::make(function), reader, writer);
    reader.finish();
  }
  static void chunk(AnyFunction function, serial::Reader& reader, serial::Writer& writer) {
    const std::size_t count = reader.count();
    writer(static_cast<std::uint64_t>(count));
    for (std::size_t i = 0; i < count; ++i) S::call(Make::make(function), reader, writer);
    reader.finish();
  }
};
template <class Pointer>
struct FromPointer {
  static Pointer make(AnyFunction function) { return reinterpret_cast<Pointer>(function); }
};
template <class F>
struct FromNothing {
  static F make(AnyFunction) { return F(); }
};

/// Where the other process finds the function.
struct CallTarget {
  RunCall run = nullptr;           // null: by name
  AnyFunction function = nullptr;  // null: `run` knows it
  bool chunk = false;
  std::string_view name = {};
  const char* signature = "";
};
BRIO_API void write_target(serial::Writer& writer, const CallTarget& target);
/// In the worker: makes the call that the reader has.
BRIO_API void run_call(serial::Reader& reader, serial::Writer& writer);
BRIO_API void register_function(std::string name, const char* signature, RunCall once,
                                RunCall chunk, AnyFunction function);

template <class F>
concept FunctionPointer = std::is_pointer_v<F> && std::is_function_v<std::remove_pointer_t<F>>;
// Any object of the type is as good as any other.
template <class F>
concept Stateless = std::is_class_v<F> && std::is_empty_v<F> && std::is_default_constructible_v<F>;

template <class Pointer>
struct SignatureOf;
template <class R, class... Ps>
struct SignatureOf<R (*)(Ps...)> {
  using type = Signature<R, std::tuple<sent_t<Ps>...>>;
};
template <class R, class... Ps>
struct SignatureOf<R (*)(Ps...) noexcept> : SignatureOf<R (*)(Ps...)> {};

}  // namespace detail

template <class S>
class RegisteredFunction;

/// A function that another process finds by its name; registered<int(int)>("name") makes it. A
/// handle: the name must live as long.
template <class R, class... Ps>
class RegisteredFunction<R(Ps...)> {
public:
  explicit constexpr RegisteredFunction(std::string_view name) noexcept : name_(name) {}
  /// The name that it was registered by.
  [[nodiscard]] constexpr std::string_view name() const noexcept { return name_; }

private:
  std::string_view name_;
};

/// Names a function that is registered in the process that is to call it, perhaps not in this one.
/// The call fails with LookupError if it is not, or has another signature there.
template <class S>
[[nodiscard]] constexpr RegisteredFunction<S> registered(std::string_view name) noexcept {
  return RegisteredFunction<S>(name);
}

/// Makes `function` known by `name` to registered(). Throws ValueError if another one has that
/// name. See BRIO_REGISTER_FUNCTION.
template <class R, class... Ps>
bool register_function(std::string name, R (*function)(Ps...)) {
  using Pointer = R (*)(Ps...);
  using Runs =
      detail::Run<typename detail::SignatureOf<Pointer>::type, detail::FromPointer<Pointer>>;
  detail::register_function(std::move(name), typeid(R(Ps...)).name(), &Runs::once, &Runs::chunk,
                            reinterpret_cast<detail::AnyFunction>(function));
  return true;
}

#define BRIO_REGISTER_NAME2(line) brio_registered_##line
#define BRIO_REGISTER_NAME(line) BRIO_REGISTER_NAME2(line)
/// At namespace scope of a .cpp file: registers a function by its name as written here. In a static
/// library, the linker takes the file only if something else of it is used.
#define BRIO_REGISTER_FUNCTION(function)                               \
  [[maybe_unused]] static const bool BRIO_REGISTER_NAME(__COUNTER__) = \
      ::brio::register_function(#function, &(function))

namespace detail {

// What a callable F is to a process, called with Args: its Signature, and where to find it.
template <class F, class... Args>
struct Remote {
  static_assert(Stateless<F> || FunctionPointer<F>,
                "brio: only a function, a lambda without captures or a registered function can "
                "be called in another process: captures and state stay in this one");
};
template <FunctionPointer F, class... Args>
struct Remote<F, Args...> {
  using S = typename SignatureOf<F>::type;
  static CallTarget target(F function, bool chunk) {
    using Runs = Run<S, FromPointer<F>>;
    return {.run = chunk ? &Runs::chunk : &Runs::once,
            .function = reinterpret_cast<AnyFunction>(function),
            .chunk = chunk};
  }
};
template <class F, class... Args>
struct StatelessSignature {
  using type =
      Signature<std::invoke_result_t<const F&, sent_t<Args>...>, std::tuple<sent_t<Args>...>>;
};
template <class F, class... Args>
  requires requires(const F& function) {
    { +function } -> FunctionPointer;
  }
struct StatelessSignature<F, Args...> : SignatureOf<decltype(+std::declval<const F&>())> {};
template <Stateless F, class... Args>
struct Remote<F, Args...> {
  using S = typename StatelessSignature<F, Args...>::type;
  static CallTarget target(const F&, bool chunk) {
    using Runs = Run<S, FromNothing<F>>;
    return {.run = chunk ? &Runs::chunk : &Runs::once, .chunk = chunk};
  }
};
template <class R, class... Ps, class... Args>
struct Remote<RegisteredFunction<R(Ps...)>, Args...> {
  using S = typename SignatureOf<R (*)(Ps...)>::type;
  static CallTarget target(const RegisteredFunction<R(Ps...)>& function, bool chunk) {
    return {.chunk = chunk, .name = function.name(), .signature = typeid(R(Ps...)).name()};
  }
};
template <class F, class... Args>
using remote_result_t = typename Remote<std::decay_t<F>, Args...>::S::Result;

}  // namespace detail

/// A call to be made in another process, with its arguments: for ProcessPoolOptions::initializer.
/// `{function, args…}`.
class BRIO_API ProcessCall {
public:
  ProcessCall() noexcept = default;
  template <class F, class... Args>
    requires(!std::is_same_v<std::remove_cvref_t<F>, ProcessCall>)
  ProcessCall(const F& function, Args&&... args) {
    using Remote = detail::Remote<std::decay_t<F>, Args...>;
    serial::Writer writer;
    detail::write_target(writer, Remote::target(function, false));
    Remote::S::write(writer, args...);
    bytes_ = writer.take();
  }
  /// What the worker is sent; empty for no call.
  [[nodiscard]] const std::string& bytes() const noexcept { return bytes_; }

private:
  std::string bytes_;
};

}  // namespace brio
