#include "get/report.hpp"

#include "get/naming.hpp"
#include "get/progress.hpp"
#include "get/utf8.hpp"

#include <array>
#include <cstdio>

namespace brio::cli {
namespace {

std::string seconds_text(std::chrono::duration<double> elapsed, int decimals) {
  std::array<char, 64> buffer{};
  std::snprintf(buffer.data(), buffer.size(), "%.*f", decimals, elapsed.count());
  return buffer.data();
}

}  // namespace

std::string json_string(std::string_view text) {
  std::string out = "\"";
  while (!text.empty()) {
    const CodePoint point = next_code_point(text);
    if (!point.valid) {
      out += "\\ufffd";
    } else if (point.value == '"' || point.value == '\\') {
      out += '\\';
      out += text[0];
    } else if (is_unprintable(point.value)) {  // all of them in the basic plane
      std::array<char, 8> buffer{};
      std::snprintf(buffer.data(), buffer.size(), "\\u%04x", static_cast<unsigned>(point.value));
      out += buffer.data();
    } else {
      out += text.substr(0, point.length);
    }
    text.remove_prefix(point.length);
  }
  return out + "\"";
}

std::string json_line(const GetResult& result) {
  std::string out = "{\"url\": " + json_string(result.url) +
                    ", \"status\": " + (result.ok ? "\"ok\"" : "\"failed\"");
  if (!result.file.empty()) out += ", \"file\": " + json_string(result.file);
  out += ", \"bytes\": " + std::to_string(result.bytes);
  out += ", \"received\": " + std::to_string(result.received);
  if (!result.sha256.empty()) out += ", \"sha256\": " + json_string(result.sha256);
  out += ", \"seconds\": " + seconds_text(result.elapsed, 6);
  out += ", \"retries\": " + std::to_string(result.retries);
  out += std::string(", \"resumed\": ") + (result.resumed ? "true" : "false");
  if (result.status != 0) out += ", \"http_status\": " + std::to_string(result.status);
  if (!result.ok) out += ", \"error\": " + json_string(result.error);
  return out + "}";
}

std::string plain_line(const GetResult& result) {
  if (!result.ok) return "failed " + printable(result.url) + ": " + printable(result.error);
  std::string line = "saved " + printable(result.file) + " (" + format_bytes(result.bytes) +
                     " in " + seconds_text(result.elapsed, 1) + " s";
  if (result.resumed) line += ", resumed";
  return line + ")";
}

}  // namespace brio::cli
