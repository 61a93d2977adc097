#include <brio/http/serializer.hpp>

#include <array>
#include <charconv>

namespace brio::http {
namespace {

std::string target(const URL& url, TargetForm form) {
  switch (form) {
    case TargetForm::absolute: return url.without_userinfo().with_fragment(std::nullopt).str();
    case TargetForm::authority: return url.host_subcomponent() + ":" + std::to_string(url.port());
    case TargetForm::asterisk: return "*";
    case TargetForm::origin: break;
  }
  return url.raw_path_qs();
}

void check_framing(const Headers& headers) {
  const std::size_t lengths = headers.getall("Content-Length").size();
  const std::size_t codings = headers.getall("Transfer-Encoding").size();
  if (lengths + codings > 1) {
    throw ValueError("a request has at most one of Content-Length and Transfer-Encoding");
  }
  if (headers.getall("Host").size() > 1) throw ValueError("a request has one Host");
}

}  // namespace

std::string serialize_request(const RequestHead& head, TargetForm form) {
  if (!is_token(head.method)) throw ValueError("invalid method '" + head.method + "'");
  check_framing(head.headers);
  std::string out = head.method + " " + target(head.url, form) + " HTTP/1.1\r\n";
  const auto append = [&out](std::string_view name, std::string_view value) {
    out += name;
    out += ": ";
    out += value;
    out += "\r\n";
  };
  append("Host", head.headers.get("Host").value_or(head.url.host_port_subcomponent()));
  for (const Header field : head.headers) {
    if (!iequals(field.name, "Host")) append(field.name, field.value);
  }
  out += "\r\n";
  return out;
}

std::string chunk_prefix(std::size_t size) {
  std::array<char, 18> digits{};
  const auto result = std::to_chars(digits.data(), digits.data() + digits.size(), size, 16);
  return std::string(digits.data(), result.ptr) + "\r\n";
}

}  // namespace brio::http
