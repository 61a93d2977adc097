// An engine that does what a kernel may do, and seldom does: it reports late, in another order and
// without reason, gives received data in small pieces, and takes little or nothing of what is sent.
//
//     auto loop = brio::new_event_loop(
//         std::make_unique<brio::testing::FaultyEngine>(brio::testing::FaultOptions{.seed = 7}));
//
// Code that is right works the same over it, only slower. A run is repeated by its seed, as far as
// the system beneath repeats itself.
#pragma once

#include <brio/core/engine.hpp>
#include <brio/core/policy.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <random>
#include <utility>
#include <vector>

namespace brio::testing {

/// What a FaultyEngine does, and how often: probabilities from 0 to 1.
struct FaultOptions {
  /// Begins the random numbers.
  std::uint64_t seed = 1;
  /// That a descriptor that has something is not reported this time.
  double late = 0.3;
  /// That what is reported in one poll comes in another order.
  double reordered = 0.5;
  /// That a receive, accept or send finds nothing to do, although it was told otherwise.
  double in_vain = 0.1;
  /// That a receive or send is cut short, to at most `piece` bytes.
  double cut = 0.5;
  /// See cut. At least 1.
  std::size_t piece = 7;
};

/// Wraps another engine, by default the one that policy and BRIO_LOOP choose.
class BRIO_API FaultyEngine final : public Engine {
public:
  /// Throws ValueError if options.piece is 0.
  explicit FaultyEngine(FaultOptions options = {}, std::unique_ptr<Engine> inner = nullptr);
  ~FaultyEngine() override;

  [[nodiscard]] const char* name() const noexcept override { return "faulty"; }
  [[nodiscard]] TimePoint now() override { return inner_->now(); }
  void watch(int fd, Interest interest) override { inner_->watch(fd, interest); }
  void adopt(int fd, Purpose purpose) override { inner_->adopt(fd, purpose); }
  void forget(int fd) noexcept override { inner_->forget(fd); }
  [[nodiscard]] Transfer receive(int fd, std::span<char> scratch) noexcept override;
  [[nodiscard]] int accept(int fd, sockaddr* peer, unsigned* length) noexcept override;
  [[nodiscard]] int accept_rest(int fd, sockaddr* peer, unsigned* length) noexcept override {
    return inner_->accept_rest(fd, peer, length);
  }
  [[nodiscard]] Transfer send(int fd, const iovec* parts, std::size_t count) noexcept override;
  [[nodiscard]] bool watching() const noexcept override { return inner_->watching(); }
  void poll(Duration timeout, Sink& sink) override;
  void wake() noexcept override { inner_->wake(); }
  [[nodiscard]] int descriptor() const noexcept override { return inner_->descriptor(); }
  void rest() noexcept override { inner_->rest(); }
  void close() noexcept override { inner_->close(); }

  /// The engine beneath.
  [[nodiscard]] Engine& inner() noexcept { return *inner_; }
  /// Faults made so far.
  [[nodiscard]] std::size_t faults() const noexcept { return faults_; }

private:
  bool happens(double probability) noexcept;

  FaultOptions options_;
  std::unique_ptr<Engine> inner_;
  std::mt19937_64 random_;
  std::vector<std::pair<int, Interest>> events_;
  std::size_t faults_ = 0;
};

/// The policy whose loops run over FaultyEngines around what BRIO_LOOP chooses; each loop gets a
/// seed of its own. Any thread may make one.
class BRIO_API FaultyPolicy : public EventLoopPolicy {
public:
  explicit FaultyPolicy(FaultOptions options = {}) : options_(options), next_seed_(options.seed) {}
  ~FaultyPolicy() override;
  [[nodiscard]] std::unique_ptr<Engine> new_engine() override;

private:
  FaultOptions options_;
  std::atomic<std::uint64_t> next_seed_;
};

}  // namespace brio::testing
