// Inside brio/engine: what the io_uring engine knows of one descriptor.
#pragma once

#include <brio/core/engine.hpp>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace brio::engine {

// What came for an adopted descriptor while nobody wanted it: copied out of the buffers, which
// others need. For a listener, the connections that wait to be taken.
struct KeptAside {
  std::string bytes;
  std::size_t bytes_at = 0;
  std::vector<int> connections;
  std::size_t connections_at = 0;

  [[nodiscard]] bool has_bytes() const noexcept { return bytes_at < bytes.size(); }
  [[nodiscard]] bool has_connections() const noexcept {
    return connections_at < connections.size();
  }
};

// One place per descriptor number, so small that ten thousand idle ones cost little.
//
// A request names its descriptor and a round. A completion of another round than the present one is
// of a request that was given up meanwhile: what it brings is dropped.
struct UringDescriptor {
  static constexpr std::int32_t no_buffer = -1;

  std::uint32_t poll_round = 0;
  std::uint32_t flow_round = 0;
  // Buffers that hold what came, oldest first; linked by the engine's table of buffers.
  std::int32_t first_buffer = no_buffer;
  std::int32_t last_buffer = no_buffer;
  std::uint32_t first_at = 0;  // how much of the first was taken already
  std::int16_t error = 0;      // an errno: what ended the flow, for the next receive() or accept()
  std::uint8_t small_reads = 0;  // in a row, while in bulk
  Purpose purpose = Purpose::plain;
  std::unique_ptr<KeptAside> aside;
  // A stream that brought more than this in one poll is in bulk: the kernel would fill buffer after
  // buffer before anybody could say stop. It is polled and read directly, as much as the reader has
  // room for, until so many reads in a row have brought little.
  static constexpr std::size_t bulk_bytes = 64 * 1024;
  static constexpr std::uint8_t calm_after = 16;
  std::uint32_t burst = 0;  // bytes of the present poll

  Interest wanted = Interest::none;
  Interest polled = Interest::none;  // what the poll under way asks for; none: there is none
  Interest ready = Interest::none;   // collected during a poll of the engine
  bool changed = false;              // the kernel has to be told
  bool listed = false;               // among those to be reported
  bool dropped = false;    // nothing was wanted for a while: it may be another file by now
  bool flowing = false;    // a receive or accept is under way
  bool ebbing = false;     // and its cancellation
  bool ended = false;      // the peer's end has come, or an error after which nothing does
  bool has_error = false;  // `error` was not taken yet
  bool bulk = false;

  [[nodiscard]] bool wants(Interest interest) const noexcept {
    return (wanted & interest) != Interest::none;
  }
  // Does the kernel read or accept ahead, or would it if that were of interest?
  [[nodiscard]] bool reads_ahead() const noexcept { return purpose != Purpose::plain && !bulk; }
  // Is there something that receive() or accept() would give?
  [[nodiscard]] bool holding() const noexcept {
    return first_buffer != no_buffer || has_error || ended ||
           (aside && (aside->has_bytes() || aside->has_connections()));
  }
};

}  // namespace brio::engine
