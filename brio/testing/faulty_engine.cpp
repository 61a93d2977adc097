#include <brio/testing/faulty_engine.hpp>

#include <brio/core/exceptions.hpp>

#include <algorithm>
#include <cerrno>
#include <sys/uio.h>

namespace brio::testing {

namespace {

class Collecting final : public Engine::Sink {
public:
  explicit Collecting(std::vector<std::pair<int, Interest>>& events) : events_(events) {}
  void descriptor_ready(int fd, Interest ready) override { events_.emplace_back(fd, ready); }

private:
  std::vector<std::pair<int, Interest>>& events_;
};

}  // namespace

FaultyEngine::FaultyEngine(FaultOptions options, std::unique_ptr<Engine> inner)
    : options_(options),
      inner_(inner ? std::move(inner) : detail::make_default_engine()),
      random_(options.seed) {
  if (options_.piece == 0) throw ValueError("FaultOptions::piece must be at least 1");
}

FaultyEngine::~FaultyEngine() = default;

bool FaultyEngine::happens(double probability) noexcept {
  const bool yes = static_cast<double>(random_() >> 11) * 0x1p-53 < probability;
  if (yes) ++faults_;
  return yes;
}

void FaultyEngine::poll(Duration timeout, Sink& sink) {
  events_.clear();
  Collecting collecting(events_);
  inner_->poll(timeout, collecting);
  // Reports are level-triggered: what is left out now comes again with the next poll. Who waits is
  // told of something all the same: a poll that returns for nothing would let a virtual clock jump.
  const auto told = events_;
  std::erase_if(events_, [this](const auto&) { return happens(options_.late); });
  if (events_.empty() && !told.empty() && timeout != Duration::zero())
    events_.push_back(told[random_() % told.size()]);
  if (events_.size() > 1 && happens(options_.reordered))
    std::shuffle(events_.begin(), events_.end(), random_);
  for (const auto& [fd, ready] : events_) sink.descriptor_ready(fd, ready);
}

Transfer FaultyEngine::receive(int fd, std::span<char> scratch) noexcept {
  if (happens(options_.in_vain)) return {.error = EAGAIN};
  if (scratch.size() > options_.piece && happens(options_.cut))
    scratch = scratch.first(options_.piece);
  return inner_->receive(fd, scratch);
}

int FaultyEngine::accept(int fd, sockaddr* peer, unsigned* length) noexcept {
  if (happens(options_.in_vain)) return -EAGAIN;
  return inner_->accept(fd, peer, length);
}

Transfer FaultyEngine::send(int fd, const iovec* parts, std::size_t count) noexcept {
  if (happens(options_.in_vain)) return {.error = EAGAIN};
  if (count > 0 && happens(options_.cut)) {
    const iovec first{parts->iov_base, std::min(parts->iov_len, options_.piece)};
    return inner_->send(fd, &first, 1);
  }
  return inner_->send(fd, parts, count);
}

FaultyPolicy::~FaultyPolicy() = default;

std::unique_ptr<Engine> FaultyPolicy::new_engine() {
  FaultOptions options = options_;
  options.seed = next_seed_.fetch_add(1, std::memory_order_relaxed);
  return std::make_unique<FaultyEngine>(options);
}

}  // namespace brio::testing
