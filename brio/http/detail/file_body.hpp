// A part of a file as a response's body.
#pragma once

#include <brio/os/descriptor.hpp>

#include <cstdint>

namespace brio::http::detail {

/// `length` bytes from `offset` on.
struct FileBody {
  os::Descriptor descriptor;
  std::uint64_t offset = 0;
  std::uint64_t length = 0;
};

}  // namespace brio::http::detail
