#include <brio/exec/process_frames.hpp>

#include <brio/exec/serialize.hpp>

#include <algorithm>
#include <utility>

namespace brio::detail {

namespace {

constexpr std::size_t header_size = sizeof(WireHeader);
constexpr std::size_t first_piece = 64 * std::size_t{1024};

}  // namespace

std::span<char> WireReader::space() {
  if (have_ < header_size)
    return std::span(reinterpret_cast<char*>(&header_), header_size).subspan(have_);
  const std::size_t got = have_ - header_size;
  if (got == payload_.size())
    payload_.resize(std::min<std::size_t>(header_.size, std::max(first_piece, 2 * got)));
  return std::span(payload_).subspan(got);
}

bool WireReader::filled(std::size_t count) {
  const bool had_header = have_ >= header_size;
  have_ += count;
  if (have_ < header_size) return false;
  if (!had_header) {
    if (header_.magic != WireHeader::magic_value) serial::throw_malformed("no frame begins here");
    if (header_.kind < WireKind::call || header_.kind > WireKind::error)
      serial::throw_malformed("a frame of an unknown kind");
    if (header_.size > max_payload_) serial::throw_malformed("a frame above the limit");
  }
  return have_ - header_size == header_.size;
}

WireFrame WireReader::take() {
  have_ = 0;
  return {.kind = header_.kind, .id = header_.id, .payload = std::exchange(payload_, {})};
}

}  // namespace brio::detail
