#include "get/resume.hpp"

#include <doctest/doctest.h>

using namespace brio::cli;
using brio::http::Headers;
using brio::http::ResponseHead;
using Kind = AnswerPlan::Kind;

namespace {

AnswerPlan answer(int status, Headers headers, std::optional<std::uint64_t> length,
                  std::optional<std::uint64_t> known_total, std::uint64_t size, bool asked) {
  const ResponseHead head{
      .version = {}, .status = status, .reason = "", .headers = std::move(headers)};
  PartialState state;
  state.validator = "\"v\"";
  state.total = known_total;
  return plan_answer(head, length, state, size, asked);
}

}  // namespace

TEST_CASE("the state of a part survives as text") {
  PartialState state{"http://h/a?b#c", "\"etag\"", 1234, "a b.txt"};
  CHECK(parse_partial_state(serialize(state)) == state);
  state = {"http://h/", "", std::nullopt, ""};
  CHECK(parse_partial_state(serialize(state)) == state);
  const std::string text = serialize(state);
  CHECK_FALSE(parse_partial_state("").has_value());
  CHECK_FALSE(parse_partial_state("something else\n").has_value());
  CHECK_FALSE(parse_partial_state(text + "more\n").has_value());
  CHECK_FALSE(parse_partial_state(text.substr(0, text.size() - 1)).has_value());
  state.validator = "\"e\r";
  CHECK_FALSE(parse_partial_state(serialize(state)).has_value());
  CHECK_FALSE(
      parse_partial_state("brio get, partial file 1\nurl: u\nvalidator: v\ntotal: -1\nname: n\n")
          .has_value());
}

TEST_CASE("a rest is asked for only with a validator") {
  PartialState state;
  Headers headers;
  CHECK_FALSE(ask_for_rest(headers, state, 10));
  CHECK(headers.empty());
  state.validator = "\"v\"";
  CHECK_FALSE(ask_for_rest(headers, state, 0));
  CHECK(ask_for_rest(headers, state, 10));
  CHECK(headers == Headers{{"Range", "bytes=10-"}, {"If-Range", "\"v\""}});
}

TEST_CASE("answers to a request for the whole") {
  CHECK(answer(200, {}, 5, {}, 0, false).kind == Kind::from_start);
  CHECK(answer(200, {}, 5, {}, 0, false).total == 5u);
  CHECK_FALSE(answer(200, {}, {}, {}, 0, false).total.has_value());
  CHECK(answer(203, {}, 5, {}, 0, false).kind == Kind::from_start);
  CHECK(answer(404, {}, 5, {}, 0, false).kind == Kind::failed);
  CHECK(answer(404, {}, 5, {}, 0, false).reason == "HTTP status 404 Not Found");
  CHECK(answer(299, {}, 5, {}, 0, false).reason == "HTTP status 299");
  CHECK(answer(204, {}, {}, {}, 0, false).kind == Kind::failed);
  CHECK(answer(206, Headers{{"Content-Range", "bytes 0-4/5"}}, 5, {}, 0, false).kind ==
        Kind::failed);
  CHECK(answer(416, Headers{{"Content-Range", "bytes */5"}}, {}, {}, 0, false).kind ==
        Kind::failed);
  CHECK(answer(302, {}, {}, {}, 0, false).kind == Kind::failed);
}

TEST_CASE("answers to a request for the rest") {
  const auto partial = [](const char* range, std::optional<std::uint64_t> length = {},
                          std::optional<std::uint64_t> known = {}) {
    return answer(206, Headers{{"Content-Range", range}, {"ETag", "\"v\""}}, length, known, 10,
                  true);
  };
  CHECK(partial("bytes 10-19/20").kind == Kind::append);
  CHECK(partial("bytes 10-19/20").total == 20u);
  CHECK(partial("bytes 10-19/20", 10, 20).kind == Kind::append);
  CHECK(partial("bytes 10-19/*").total == 20u);
  CHECK(partial("bytes 10-19/*", {}, 20).kind == Kind::append);
  CHECK(partial("bytes 10-19/20", 11).kind == Kind::restart);
  CHECK(partial("bytes 10-19/20", {}, 21).kind == Kind::restart);
  CHECK(partial("bytes 10-18/20").kind == Kind::restart);
  CHECK(partial("bytes 10-18/*", {}, 20).kind == Kind::restart);
  CHECK(partial("bytes 9-19/20").kind == Kind::restart);
  CHECK(partial("bytes 11-19/20").kind == Kind::restart);
  CHECK(partial("bytes 0-19/20").kind == Kind::restart);
  CHECK(partial("bytes */20").kind == Kind::restart);
  CHECK(partial("nonsense").kind == Kind::restart);
  CHECK(answer(206, Headers{{"Content-Type", "multipart/byteranges"}}, 5, {}, 10, true).kind ==
        Kind::restart);
  CHECK(answer(200, {}, 30, 20, 10, true).kind == Kind::from_start);
  const auto unsatisfied = [](const char* range, std::optional<std::uint64_t> known) {
    return answer(416, Headers{{"Content-Range", range}}, {}, known, 10, true).kind;
  };
  CHECK(unsatisfied("bytes */10", 10) == Kind::complete);
  CHECK(unsatisfied("bytes */10", {}) == Kind::complete);
  CHECK(unsatisfied("bytes */10", 20) == Kind::restart);
  CHECK(unsatisfied("bytes */9", {}) == Kind::restart);
  CHECK(unsatisfied("bytes 0-9/10", {}) == Kind::restart);
  CHECK(answer(416, {}, {}, {}, 10, true).kind == Kind::restart);
  CHECK(answer(500, {}, {}, {}, 10, true).kind == Kind::failed);
}

TEST_CASE("a rest of another file is not put behind the part") {
  const auto with = [](int status, const char* validator, const char* name, const char* value) {
    const char* range = status == 206 ? "bytes 10-19/20" : "bytes */10";
    const ResponseHead head{.version = {},
                            .status = status,
                            .reason = "",
                            .headers = {{"Content-Range", range}, {name, value}}};
    return plan_answer(head, {}, {.url = "", .validator = validator, .total = {}, .name = ""}, 10,
                       true)
        .kind;
  };
  const char* early = "Sun, 06 Nov 1994 08:49:37 GMT";
  const char* late = "Sun, 06 Nov 1994 08:49:38 GMT";
  CHECK(with(206, "\"v1\"", "ETag", "\"v1\"") == Kind::append);
  CHECK(with(206, "\"v1\"", "ETag", "\"v2\"") == Kind::restart);
  CHECK(with(206, "\"v1\"", "ETag", "W/\"v1\"") == Kind::restart);
  CHECK(with(206, "\"v1\"", "Last-Modified", late) == Kind::restart);  // an ETag must be repeated
  CHECK(with(206, early, "Last-Modified", early) == Kind::append);
  CHECK(with(206, early, "Last-Modified", late) == Kind::restart);
  CHECK(with(206, early, "ETag", "\"v2\"") == Kind::append);
  CHECK(with(416, "\"v1\"", "ETag", "\"v1\"") == Kind::complete);
  CHECK(with(416, "\"v1\"", "ETag", "\"v2\"") == Kind::restart);
}

TEST_CASE("only strong validators are kept") {
  const char* early = "Sun, 06 Nov 1994 08:49:37 GMT";
  const char* late = "Sun, 06 Nov 1994 08:49:38 GMT";
  CHECK(validator_of(Headers{{"ETag", "\"x\""}, {"Last-Modified", early}}) == "\"x\"");
  CHECK(validator_of(Headers{{"ETag", "W/\"x\""}, {"Last-Modified", early}, {"Date", late}}) == "");
  CHECK(validator_of(Headers{{"Last-Modified", early}, {"Date", late}}) == early);
  CHECK(validator_of(Headers{{"Last-Modified", early}, {"Date", early}}) == "");
  CHECK(validator_of(Headers{{"Last-Modified", early}}) == "");
  CHECK(validator_of(Headers{{"Last-Modified", "yesterday"}, {"Date", late}}) == "");
  CHECK(validator_of(Headers{{"ETag", "\"x\""}, {"Accept-Ranges", "none"}}) == "");
  CHECK(validator_of({}) == "");
}
