// What ProcessPoolExecutor::map gives: the results of chunks, one by one.
#pragma once

#include <brio/exec/detail/map_results.hpp>

#include <cstddef>
#include <deque>
#include <iterator>
#include <memory>
#include <optional>
#include <utility>

namespace brio::detail {

/// A move-only range to be read once. void gives monostate.
template <class R>
class [[nodiscard]] MapChunks {
  struct Run;

public:
  using Chunk = std::deque<Stored<R>>;
  explicit MapChunks(MapResults<Chunk> chunks) : run_(std::make_unique<Run>(std::move(chunks))) {}

  class iterator {
  public:
    using iterator_concept = std::input_iterator_tag;
    using value_type = Stored<R>;
    using difference_type = std::ptrdiff_t;
    iterator() noexcept = default;
    Stored<R>& operator*() const noexcept { return (**run_->at)[run_->index]; }
    iterator& operator++() {
      run_->advance();
      return *this;
    }
    void operator++(int) { ++*this; }
    bool operator==(std::default_sentinel_t) const noexcept { return run_->ended(); }

  private:
    friend MapChunks;
    explicit iterator(Run& run) : run_(&run) { run.begin(); }
    Run* run_ = nullptr;
  };

  /// Blocks for the first result.
  [[nodiscard]] iterator begin() { return iterator(*run_); }
  [[nodiscard]] std::default_sentinel_t end() const noexcept { return {}; }

private:
  struct Run {
    explicit Run(MapResults<Chunk> all) : chunks(std::move(all)) {}
    void begin() { at = chunks.begin(); }
    // No chunk is empty.
    void advance() {
      if (++index < (**at).size()) return;
      index = 0;
      ++*at;
    }
    [[nodiscard]] bool ended() const noexcept { return *at == std::default_sentinel; }

    MapResults<Chunk> chunks;
    std::optional<typename MapResults<Chunk>::iterator> at;
    std::size_t index = 0;  // in the chunk
  };
  std::unique_ptr<Run> run_;
};

}  // namespace brio::detail
