#include <brio/http/conditional.hpp>

#include <brio/http/fields.hpp>

#include <algorithm>

namespace brio::http {
namespace {

enum class Comparison { strong, weak };

std::string_view opaque(std::string_view etag) noexcept {
  if (etag.starts_with("W/")) etag.remove_prefix(2);
  return etag;
}

bool same_etag(std::string_view a, std::string_view b, Comparison how) noexcept {
  if (how == Comparison::strong) return a == b && is_strong_etag(a);
  return opaque(a) == opaque(b);
}

// Whether a list of entity tags has `etag`; "*" is any. A tag may hold commas, so it is read to its
// closing quote.
bool lists_etag(std::string_view list, std::string_view etag, Comparison how) noexcept {
  list = trimmed(list);
  if (list == "*") return true;
  while (!list.empty()) {
    list.remove_prefix(std::min(list.find_first_not_of(", \t"), list.size()));
    const std::size_t open = list.starts_with("W/") ? 2 : 0;
    if (list.size() <= open || list[open] != '"') return false;
    const std::size_t close = list.find('"', open + 1);
    if (close == std::string_view::npos) return false;
    if (same_etag(list.substr(0, close + 1), etag, how)) return true;
    list.remove_prefix(close + 1);
  }
  return false;
}

bool any_lists(const Headers& request, std::string_view name, std::string_view etag,
               Comparison how) {
  for (const std::string_view list : request.getall(name)) {
    if (lists_etag(list, etag, how)) return true;
  }
  return false;
}

std::optional<std::chrono::sys_seconds> date_field(const Headers& request, std::string_view name) {
  const auto text = request.get(name);
  return text ? parse_http_date(*text) : std::nullopt;
}

std::optional<std::uint64_t> number(std::string_view text) noexcept {
  if (text.empty() || text.size() > 18) return std::nullopt;
  std::uint64_t value = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') return std::nullopt;
    value = value * 10 + static_cast<std::uint64_t>(c - '0');
  }
  return value;
}

// If-Range: the part is of use only if it is of the same representation.
bool range_applies(const Headers& request, const Validators& validators) {
  const auto condition = request.get("If-Range");
  if (!condition) return true;
  if (condition->find('"') != std::string_view::npos) {
    return same_etag(*condition, validators.etag, Comparison::strong);
  }
  const auto date = parse_http_date(*condition);
  return date && validators.last_modified && *date == *validators.last_modified;
}

}  // namespace

Precondition evaluate_preconditions(std::string_view method, const Headers& request,
                                    const Validators& validators) {
  const bool safe = method == "GET" || method == "HEAD";
  if (request.contains("If-Match")) {
    if (!any_lists(request, "If-Match", validators.etag, Comparison::strong)) {
      return Precondition::failed;
    }
  } else if (const auto date = date_field(request, "If-Unmodified-Since")) {
    if (validators.last_modified && *validators.last_modified > *date) return Precondition::failed;
  }
  if (request.contains("If-None-Match")) {
    if (any_lists(request, "If-None-Match", validators.etag, Comparison::weak)) {
      return safe ? Precondition::not_modified : Precondition::failed;
    }
  } else if (safe) {
    const auto date = date_field(request, "If-Modified-Since");
    if (date && validators.last_modified && *validators.last_modified <= *date) {
      return Precondition::not_modified;
    }
  }
  return Precondition::proceed;
}

RangeRequest evaluate_range(const Headers& request, const Validators& validators,
                            std::uint64_t size) {
  using Answer = RangeRequest::Answer;
  const auto field = request.get("Range");
  if (!field || request.getall("Range").size() > 1) return {};
  if (field->size() < 6 || !iequals(field->substr(0, 6), "bytes=")) return {};
  if (!range_applies(request, validators)) return {};
  const std::string_view spec = trimmed(field->substr(6));
  const std::size_t dash = spec.find('-');
  if (dash == std::string_view::npos || spec.find(',') != std::string_view::npos) return {};
  const std::string_view first_text = trimmed(spec.substr(0, dash));
  const std::string_view last_text = trimmed(spec.substr(dash + 1));
  const auto first = number(first_text);
  const auto last = number(last_text);
  if (first_text.empty()) {  // the last so many bytes
    if (!last) return {};
    if (*last == 0 || size == 0) return {Answer::unsatisfiable, {}};
    const std::uint64_t length = std::min(*last, size);
    return {Answer::part, {size - length, length}};
  }
  if (!first || (!last_text.empty() && !last)) return {};
  if (last && *last < *first) return {};
  if (*first >= size) return {Answer::unsatisfiable, {}};
  const std::uint64_t end = last ? std::min(*last, size - 1) : size - 1;
  return {Answer::part, {*first, end - *first + 1}};
}

}  // namespace brio::http
