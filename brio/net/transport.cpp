#include <brio/net/transport.hpp>

#include <brio/core/exceptions.hpp>

namespace brio {

BaseTransport::~BaseTransport() = default;
ReadTransport::~ReadTransport() = default;
WriteTransport::~WriteTransport() = default;

namespace net::detail {

WriteBufferLimits make_write_buffer_limits(const WriteBufferLimitsOptions& options,
                                           std::size_t default_high) {
  const auto high = options.high.value_or(options.low ? 4 * *options.low
                                                      : static_cast<std::ptrdiff_t>(default_high));
  const auto low = options.low.value_or(high / 4);
  if (low < 0 || high < low) {
    throw ValueError("high (" + std::to_string(high) + ") must be >= low (" + std::to_string(low) +
                     ") must be >= 0");
  }
  return {static_cast<std::size_t>(low), static_cast<std::size_t>(high)};
}

}  // namespace net::detail
}  // namespace brio
