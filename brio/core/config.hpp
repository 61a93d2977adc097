// Compiler gate, visibility and the few attributes that every header needs.
//
// This is the lowest header of the house: it includes nothing of brio and no library.
#pragma once

// g++ 12 (Debian 12's) lays coroutine frames out wrongly and destroys temporaries of co_await
// expressions twice, without a word: 28 of 94 small coroutine cases end in a double free or a
// use after free. Users' own coroutines would break just as silently as ours, so a rule inside
// the library cannot help. g++ 14 passes.
#if defined(__GNUC__) && !defined(__clang__) && __GNUC__ < 14 && \
    !defined(BRIO_ALLOW_MISCOMPILING_GCC)
#error \
    "brio: g++ before 14 miscompiles C++20 coroutines silently (double frees, corrupt frames). Use clang 19 or g++ 14 or newer; define BRIO_ALLOW_MISCOMPILING_GCC to compile all the same, at your own risk."
#endif

#if !defined(__cpp_impl_coroutine) || __cplusplus < 202002L
#error "brio: C++20 with coroutines is required (-std=c++20)."
#endif

// BRIO_API marks what a shared build exports; everything else is hidden.
#if defined(BRIO_STATIC)
#define BRIO_API
#else
#define BRIO_API __attribute__((visibility("default")))
#endif

// BRIO_STRICT_LIFETIMES makes clang warn where a coroutine's argument or closure dies before it.
// Opt-in: the attribute behind it turns every plain function that returns a Coro into an error
// unless it is marked BRIO_CORO_WRAPPER, std::function and std::invoke included, which no ordinary
// program can mark. Build with it now and then as one does with a sanitizer.
#if defined(BRIO_STRICT_LIFETIMES) && defined(__clang__) && defined(__has_cpp_attribute)
#if __has_cpp_attribute(clang::coro_return_type)
#define BRIO_CORO_TYPE [[clang::coro_return_type, clang::coro_lifetimebound]]
#define BRIO_CORO_WRAPPER [[clang::coro_wrapper]]
#define BRIO_CORO_BORROWS [[clang::lifetimebound]]
#define BRIO_CORO_UNBOUND [[clang::coro_disable_lifetimebound]]
#endif
#endif
#ifndef BRIO_CORO_TYPE
#define BRIO_CORO_TYPE
#define BRIO_CORO_WRAPPER
#define BRIO_CORO_BORROWS
#define BRIO_CORO_UNBOUND
#endif

#define BRIO_ALWAYS_INLINE inline __attribute__((always_inline))
#define BRIO_NOINLINE __attribute__((noinline))

// Frames come from malloc under a sanitizer, so that it sees each one.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define BRIO_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || \
    __has_feature(memory_sanitizer)
#define BRIO_SANITIZED 1
#endif
#endif
#ifndef BRIO_SANITIZED
#define BRIO_SANITIZED 0
#endif
