// Random bytes from the kernel.
#pragma once

#include <array>
#include <cstddef>
#include <string>

namespace brio::http::detail {

/// `count` bytes that nobody can foresee (getrandom). Throws OSError.
std::string random_bytes(std::size_t count);

/// Keys to mask frames with, one system call for many. RFC 6455 §5.3 wants them unforeseeable.
class MaskSource {
public:
  /// Four more bytes.
  [[nodiscard]] std::array<char, 4> next();

private:
  std::string pool_;
};

}  // namespace brio::http::detail
