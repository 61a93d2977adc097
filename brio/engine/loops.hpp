// The two worlds by asyncio's names, to be called or given as a loop_factory.
#pragma once

#include <brio/core/loop.hpp>
#include <brio/core/policy.hpp>

namespace brio {

/// A new loop over epoll (asyncio.SelectorEventLoop): `Runner({.loop_factory =
/// SelectorEventLoop})`. Throws OSError if the kernel refuses the descriptors.
[[nodiscard]] BRIO_API LoopPtr SelectorEventLoop();

/// A new loop over io_uring (asyncio.ProactorEventLoop), or, where this kernel cannot run it, over
/// epoll; debug mode then says once why.
[[nodiscard]] BRIO_API LoopPtr ProactorEventLoop();

/// The policy whose loops are SelectorEventLoops, whatever BRIO_LOOP says.
class BRIO_API SelectorEventLoopPolicy : public EventLoopPolicy {
public:
  ~SelectorEventLoopPolicy() override;
  [[nodiscard]] std::unique_ptr<Engine> new_engine() override;
};

/// The policy whose loops are ProactorEventLoops, whatever BRIO_LOOP says.
class BRIO_API ProactorEventLoopPolicy : public EventLoopPolicy {
public:
  ~ProactorEventLoopPolicy() override;
  [[nodiscard]] std::unique_ptr<Engine> new_engine() override;
};

}  // namespace brio
