// Inside brio/exec. Exceptions as bytes.
#pragma once

#include <brio/exec/serialize.hpp>

#include <exception>

namespace brio::detail {

/// Writes type and message, and what else the known types carry.
BRIO_API void write_error(serial::Writer& writer, const std::exception_ptr& error);
/// An error of the same type, if it is one of brio's or the standard library's; else a
/// concurrent::RemoteError. Throws SerializationError.
[[nodiscard]] BRIO_API std::exception_ptr read_error(serial::Reader& reader);

}  // namespace brio::detail
