#include <brio/http/fields.hpp>

#include <doctest/doctest.h>

using namespace brio::http;
using std::chrono::seconds;
using std::chrono::sys_seconds;

TEST_CASE("HTTP dates in their three forms") {
  const sys_seconds expected{seconds(784'111'777)};
  CHECK(parse_http_date("Sun, 06 Nov 1994 08:49:37 GMT") == expected);
  CHECK(parse_http_date("Sunday, 06-Nov-94 08:49:37 GMT") == expected);
  CHECK(parse_http_date("Sun Nov  6 08:49:37 1994") == expected);
  CHECK(format_http_date(expected) == "Sun, 06 Nov 1994 08:49:37 GMT");
  CHECK(parse_http_date("Thu, 01 Jan 1970 00:00:00 GMT") == sys_seconds{});
  CHECK(parse_http_date("Sat, 29 Feb 2020 23:59:60 GMT").has_value());
  for (const char* text : {"", "Sun", "Sun, 06 Nov 1994 08:49:37", "Sun, 06 Nov 1994 08:49:37 CET",
                           "Sun, 30 Feb 1994 08:49:37 GMT", "Sun, 06 Nov 1994 24:49:37 GMT",
                           "Sun, 6 Nov 1994 08:49:37 GMT", "Sun, 06 nov 1994 08:49:37 GMT",
                           "Sun, 06 Nov 1994 08:49:37 GMTx", "Sun Nov 6 08:49:37 1994",
                           "Sun, -6 Nov 1994 08:49:37 GMT", "784111777"}) {
    CAPTURE(text);
    CHECK_FALSE(parse_http_date(text).has_value());
  }
}

TEST_CASE("Retry-After") {
  const sys_seconds now{seconds(784'111'777)};
  CHECK(parse_retry_after("120", now) == seconds(120));
  CHECK(parse_retry_after(" 0 ", now) == seconds(0));
  CHECK(parse_retry_after("Sun, 06 Nov 1994 08:50:37 GMT", now) == seconds(60));
  CHECK(parse_retry_after("Sun, 06 Nov 1994 08:00:00 GMT", now) == seconds(0));
  for (const char* text : {"", "-1", "1.5", "soon", "99999999999"}) {
    CAPTURE(text);
    CHECK_FALSE(parse_retry_after(text, now).has_value());
  }
}

TEST_CASE("Content-Range") {
  const auto full = parse_content_range("bytes 5-9/20");
  REQUIRE(full.has_value());
  CHECK(full->first == 5u);
  CHECK(full->last == 9u);
  CHECK(full->complete == 20u);
  CHECK_FALSE(parse_content_range("Bytes 5-9/*")->complete.has_value());
  CHECK_FALSE(parse_content_range("bytes */20")->first.has_value());
  for (const char* text : {"", "bytes", "bytes 5-9", "bytes 9-5/20", "bytes 5-20/20", "bytes */*",
                           "items 5-9/20", "bytes -5/20", "bytes 5-/20", "bytes 5-9/x",
                           "bytes 5-9/20, 10-11/20", "bytes 5-99999999999999999999/*"}) {
    CAPTURE(text);
    CHECK_FALSE(parse_content_range(text).has_value());
  }
}

TEST_CASE("strong validators") {
  CHECK(is_strong_etag("\"abc\""));
  CHECK(is_strong_etag("\"\""));
  CHECK_FALSE(is_strong_etag("W/\"abc\""));
  CHECK_FALSE(is_strong_etag("abc"));
  CHECK_FALSE(is_strong_etag("\""));
}

TEST_CASE("Content-Disposition's file name") {
  const auto name = [](const char* text) {
    return content_disposition_filename(text).value_or("(none)");
  };
  CHECK(name("attachment; filename=a.txt") == "a.txt");
  CHECK(name("attachment;FileName = \"a b;c.txt\" ; x=y") == "a b;c.txt");
  CHECK(name("inline; x=y; filename=\"a\\\"b\"") == "a\"b");
  CHECK(name("attachment; filename=\"e.txt\"; filename*=UTF-8''%e2%82%ac.txt") ==
        "\xe2\x82\xac.txt");
  CHECK(name("attachment; filename*=iso-8859-1'en'%A3.txt; filename=x") == "\xc2\xa3.txt");
  CHECK(name("attachment; filename*=koi8-r''%A3; filename=x") == "x");
  CHECK(name("attachment; filename=../../etc/passwd") == "../../etc/passwd");
  CHECK(name("attachment") == "(none)");
  CHECK(name("") == "(none)");
  CHECK(name("attachment; filename=\"unclosed") == "(none)");
  CHECK(name("attachment; filename") == "(none)");
  CHECK(name("attachment; name=\"filename=x\"") == "(none)");
}
