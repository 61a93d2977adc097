// Any text as a URL and as a reference: what is accepted has a normal form that parses to itself.
#include <brio/http/fields.hpp>
#include <brio/http/url.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

using brio::http::URL;

namespace {

void require(bool held) {
  if (!held) std::abort();
}

void check(const URL& url) {
  const std::string text = url.str();
  // What goes on the wire is printable ASCII without space: no way out of the request line.
  require(std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c < 0x7f; }));
  require(text.find('\\') == std::string::npos);
  require(URL(text) == url);
  require(url.raw_path().front() == '/');
  require(!url.host().empty());
  const auto slash_dots = url.raw_path() + "/";
  require(slash_dots.find("/../") == std::string::npos);
  require(slash_dots.find("/./") == std::string::npos);
  require(url.join("") == url.with_fragment(std::nullopt));
  static_cast<void>(url.path());
  static_cast<void>(url.query());
  static_cast<void>(url.name());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  static const URL base("http://user@host:81/a/b/c?q#f");
  try {
    check(URL(text));
  } catch (const brio::http::InvalidURL&) {
  }
  try {
    check(base.join(text));
  } catch (const brio::http::InvalidURL&) {
  }
  static_cast<void>(brio::http::content_disposition_filename(text));
  static_cast<void>(brio::http::parse_content_range(text));
  if (const auto date = brio::http::parse_http_date(text)) {
    require(brio::http::parse_http_date(brio::http::format_http_date(*date)) == date);
  }
  return 0;
}
