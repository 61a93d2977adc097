#include "get/resume.hpp"

#include <brio/http/fields.hpp>

#include <charconv>

namespace brio::cli {
namespace {

constexpr std::string_view magic = "brio get, partial file 1";

// "key: value" lines; values come from URLs, header fields and safe names, so hold no line break,
// and what does is refused when read back.
bool take_line(std::string_view& text, std::string_view key, std::string& value) {
  const std::size_t end = text.find('\n');
  if (end == std::string_view::npos) return false;
  const std::string_view line = text.substr(0, end);
  text.remove_prefix(end + 1);
  if (!line.starts_with(key)) return false;
  value = line.substr(key.size());
  return true;
}

AnswerPlan restart(std::string reason) {
  return {.kind = AnswerPlan::Kind::restart, .reason = std::move(reason)};
}

// Whether an answer is of another file than the validator is of. A server that does not know
// If-Range sends a rest all the same, and RFC 9110 §15.3.7 leaves it to the client not to put the
// two together.
bool is_of_another(const http::Headers& headers, std::string_view validator) {
  const bool is_etag = validator.starts_with('"');
  const auto theirs = headers.get(is_etag ? "ETag" : "Last-Modified");
  return theirs && *theirs != validator;
}

// A partial answer must repeat the ETag (RFC 9110 §15.3.7); one that does not may be of any file,
// whatever If-Range asked for. Last-Modified it may leave out.
bool may_be_of_another(const http::Headers& headers, std::string_view validator) {
  if (validator.starts_with('"') && !headers.get("ETag")) return true;
  return is_of_another(headers, validator);
}

AnswerPlan plan_partial(const http::ResponseHead& head, std::optional<std::uint64_t> content_length,
                        const PartialState& state, std::uint64_t size) {
  if (may_be_of_another(head.headers, state.validator))
    return restart("206 that is of another file or doesn't say of which");
  const auto text = head.headers.get("Content-Range");
  const auto range = text ? http::parse_content_range(*text) : std::nullopt;
  if (!range || !range->first) return restart("206 without a usable Content-Range");
  if (*range->first != size) return restart("206 for another range than asked");
  const auto total = range->complete ? range->complete : state.total;
  if (state.total && range->complete && *state.total != *range->complete) {
    return restart("206 of a file that has another length now");
  }
  // Asked to the end, a server may still send less; the rest is then missing.
  if (total && *range->last + 1 != *total) return restart("206 that stops before the end");
  if (content_length && *content_length != *range->last - *range->first + 1) {
    return restart("206 whose lengths contradict each other");
  }
  return {.kind = AnswerPlan::Kind::append,
          .total = total ? total : std::optional<std::uint64_t>(*range->last + 1)};
}

}  // namespace

std::string serialize(const PartialState& state) {
  return std::string(magic) + "\nurl: " + state.url + "\nvalidator: " + state.validator +
         "\ntotal: " + (state.total ? std::to_string(*state.total) : "") + "\nname: " + state.name +
         "\n";
}

std::optional<PartialState> parse_partial_state(std::string_view text) {
  PartialState state;
  std::string first;
  std::string total;
  if (!take_line(text, magic, first) || !first.empty() || !take_line(text, "url: ", state.url) ||
      !take_line(text, "validator: ", state.validator) || !take_line(text, "total: ", total) ||
      !take_line(text, "name: ", state.name) || !text.empty()) {
    return std::nullopt;
  }
  if (!http::is_field_value(state.validator)) return std::nullopt;
  if (!total.empty()) {
    std::uint64_t value = 0;
    const auto [end, error] = std::from_chars(total.data(), total.data() + total.size(), value);
    if (error != std::errc() || end != total.data() + total.size()) return std::nullopt;
    state.total = value;
  }
  return state;
}

bool ask_for_rest(http::Headers& headers, const PartialState& state, std::uint64_t size) {
  if (size == 0 || state.validator.empty()) return false;
  headers.set("Range", "bytes=" + std::to_string(size) + "-");
  headers.set("If-Range", state.validator);
  return true;
}

AnswerPlan plan_answer(const http::ResponseHead& head, std::optional<std::uint64_t> content_length,
                       const PartialState& state, std::uint64_t size, bool asked_rest) {
  if (head.status == 200 || head.status == 203) {
    return {.kind = AnswerPlan::Kind::from_start, .total = content_length};
  }
  if (head.status == 206 && asked_rest) return plan_partial(head, content_length, state, size);
  if (head.status == 416 && asked_rest) {
    // With If-Range a server that finds another file sends that one whole; so this is ours, and
    // there is nothing behind the part.
    if (is_of_another(head.headers, state.validator)) return restart("416 of another file");
    const auto text = head.headers.get("Content-Range");
    const auto range = text ? http::parse_content_range(*text) : std::nullopt;
    if (range && !range->first && range->complete == size && state.total.value_or(size) == size) {
      return {.kind = AnswerPlan::Kind::complete, .total = size};
    }
    return restart("416 for a part that does not fit");
  }
  std::string reason = "HTTP status " + std::to_string(head.status);
  const std::string_view phrase =
      head.reason.empty() ? http::reason_phrase(head.status) : std::string_view(head.reason);
  if (!phrase.empty()) reason += " " + std::string(phrase);
  return {.kind = AnswerPlan::Kind::failed, .reason = std::move(reason)};
}

std::string validator_of(const http::Headers& headers) {
  if (headers.has_token("Accept-Ranges", "none")) return {};
  if (const auto etag = headers.get("ETag")) {
    return http::is_strong_etag(*etag) ? std::string(*etag) : std::string();
  }
  const auto modified_text = headers.get("Last-Modified");
  const auto date_text = headers.get("Date");
  if (!modified_text || !date_text) return {};
  const auto modified = http::parse_http_date(*modified_text);
  const auto date = http::parse_http_date(*date_text);
  if (!modified || !date || *date - *modified < std::chrono::seconds(1)) return {};
  return std::string(*modified_text);
}

}  // namespace brio::cli
