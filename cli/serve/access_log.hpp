// A line for each answer, in the combined format that log tools read.
#pragma once

#include <brio/http/server.hpp>

#include <chrono>
#include <string>

namespace brio::cli {

/// `127.0.0.1 - - [21/Nov/2026:22:46:00 +0000] "GET / HTTP/1.1" 200 13 "-" "curl/7.88.1"` and a
/// newline. What the client sent cannot end the line or a quoted part of it: such bytes are written
/// as \xHH.
std::string access_line(const http::AccessRecord& record, std::chrono::sys_seconds now);

/// `text` for inside of the quotes; "-" where it is empty.
std::string quoted_part(std::string_view text);

}  // namespace brio::cli
