#include "serve/access_log.hpp"

#include <array>
#include <cstdio>
#include <ctime>

namespace brio::cli {

std::string quoted_part(std::string_view text) {
  if (text.empty()) return "-";
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x20 && byte < 0x7f && c != '"' && c != '\\') {
      out += c;
      continue;
    }
    std::array<char, 5> escaped{};
    std::snprintf(escaped.data(), escaped.size(), "\\x%02x", byte);
    out += escaped.data();
  }
  return out;
}

std::string access_line(const http::AccessRecord& record, std::chrono::sys_seconds now) {
  const http::Request& request = record.request;
  const std::time_t seconds = now.time_since_epoch().count();
  std::tm parts{};
  ::gmtime_r(&seconds, &parts);
  std::array<char, 40> when{};
  (void)std::strftime(when.data(), when.size(), "[%d/%b/%Y:%H:%M:%S +0000]", &parts);
  const std::string version = request.version().minor == 0 ? "HTTP/1.0" : "HTTP/1.1";
  std::string line = request.remote().empty() ? "-" : request.remote();
  line.append(" - - ").append(when.data()).append(" \"");
  line.append(quoted_part(request.method())).append(" ").append(quoted_part(request.target()));
  line.append(" ").append(version).append("\" ").append(std::to_string(record.status));
  line.append(" ").append(std::to_string(record.body_size));
  line.append(" \"").append(quoted_part(request.headers().get("Referer", ""))).append("\"");
  line.append(" \"").append(quoted_part(request.headers().get("User-Agent", ""))).append("\"\n");
  return line;
}

}  // namespace brio::cli
