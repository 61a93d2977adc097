#include <brio/http/errors.hpp>
#include <brio/http/headers.hpp>

#include <doctest/doctest.h>

#include <string>

using brio::http::Headers;
using brio::http::is_field_value;
using brio::http::is_token;

TEST_CASE("headers keep order and case, and compare without case") {
  Headers headers{{"Accept", "*/*"}, {"X-A", "1"}};
  headers.add("x-a", "2");
  CHECK(headers.size() == 3);
  CHECK(headers.get("X-a") == "1");
  CHECK(headers.at("ACCEPT") == "*/*");
  CHECK(headers.getall("x-A") == std::vector<std::string_view>{"1", "2"});
  CHECK(headers.begin()[2].name == "x-a");
  CHECK_FALSE(headers.get("none").has_value());
  CHECK(headers.get("none", "d") == "d");
  CHECK_THROWS_AS(static_cast<void>(headers.at("none")), brio::KeyError);
}

TEST_CASE("set replaces at the first place, remove takes all") {
  Headers headers{{"A", "1"}, {"B", "2"}, {"a", "3"}};
  headers.set("a", "9");
  CHECK(headers == Headers{{"a", "9"}, {"B", "2"}});
  headers.set("C", "4");
  CHECK(headers.begin()[2].name == "C");
  CHECK(headers.setdefault("c", "x") == "4");
  CHECK(headers.setdefault("D", "x") == "x");
  headers.add("A", "10");
  CHECK(headers.remove("a") == 2);
  CHECK(headers.remove("a") == 0);
  // A name that is lent by the field that goes away.
  CHECK(headers.remove(headers.begin()->name) == 1);
}

TEST_CASE("extend appends and update replaces, also with itself") {
  Headers headers{{"A", "1"}};
  headers.extend(Headers{{"A", "2"}, {"B", "3"}});
  CHECK(headers.getall("a").size() == 2);
  headers.update(Headers{{"a", "4"}, {"a", "5"}});
  CHECK(headers.getall("A") == std::vector<std::string_view>{"4", "5"});
  headers.extend(headers);
  CHECK(headers.size() == 6);
  headers.update(headers);
  CHECK(headers.size() == 6);
}

TEST_CASE("has_token looks into comma-separated lists") {
  Headers headers{{"Connection", "keep-alive , UPGRADE"}, {"connection", "x"}};
  CHECK(headers.has_token("Connection", "upgrade"));
  CHECK(headers.has_token("Connection", "Keep-Alive"));
  CHECK(headers.has_token("Connection", "x"));
  CHECK_FALSE(headers.has_token("Connection", "keep"));
  CHECK_FALSE(headers.has_token("Upgrade", "x"));
}

TEST_CASE("what would break the framing is refused") {
  Headers headers;
  CHECK_THROWS_AS(headers.add("", "x"), brio::ValueError);
  CHECK_THROWS_AS(headers.add("a b", "x"), brio::ValueError);
  CHECK_THROWS_AS(headers.add("a:", "x"), brio::ValueError);
  CHECK_THROWS_AS(headers.add("a\r\nb", "x"), brio::ValueError);
  CHECK_THROWS_AS(headers.add("ä", "x"), brio::ValueError);
  CHECK_THROWS_AS(headers.add("a", "x\r\nSet-Cookie: y"), brio::ValueError);
  CHECK_THROWS_AS(headers.add("a", "x\ny"), brio::ValueError);
  CHECK_THROWS_AS(headers.add("a", std::string_view("x\0y", 3)), brio::ValueError);
  CHECK_THROWS_AS(headers.set("a", "\x7f"), brio::ValueError);
  CHECK_THROWS_AS((Headers{{"a", "\r"}}), brio::ValueError);
  CHECK(headers.empty());
  headers.add("a", "  tab\tinside \t");
  CHECK(headers.at("a") == "tab\tinside");
  headers.set("a", "obs-text \xe4");
  headers.set("a", "   ");
  CHECK(headers.at("a").empty());
}

TEST_CASE("tokens and values, byte by byte") {
  int tokens = 0;
  int values = 0;
  for (int byte = 0; byte < 256; ++byte) {
    const std::string text(1, static_cast<char>(byte));
    tokens += is_token(text) ? 1 : 0;
    values += is_field_value(text) ? 1 : 0;
  }
  CHECK(tokens == 77);            // RFC 9110 §5.6.2: 10 digits, 52 letters, 15 others
  CHECK(values == 256 - 33 + 1);  // all but 32 controls and DEL, and yet TAB
}

TEST_CASE("an error of two families is caught by each name") {
  const auto thrown_as = [](auto&& thrower, auto&& catcher) {
    try {
      thrower();
    } catch (...) {
      return catcher();
    }
    return false;
  };
  const auto timeout = [] { throw brio::http::SocketTimeoutError("too slow"); };
  CHECK(thrown_as(timeout, [] {
    try {
      throw;
    } catch (const std::exception& e) {
      return std::string(e.what()) == "too slow";
    }
  }));
  CHECK(thrown_as(timeout, [] {
    try {
      throw;
    } catch (const brio::http::ClientError& e) {
      return std::string(e.what()) == "too slow";
    }
  }));
  CHECK(thrown_as(timeout, [] {
    try {
      throw;
    } catch (const brio::TimeoutError&) {
      return true;
    }
  }));
  const auto refused = [] {
    throw brio::http::ClientConnectorError(
        "h", 80, std::make_error_code(std::errc::connection_refused), "refused");
  };
  CHECK(thrown_as(refused, [] {
    try {
      throw;
    } catch (const brio::OSError& e) {
      return std::string(e.what()) == "Cannot connect to host h:80 [refused]" &&
             e.error_number() == ECONNREFUSED;
    }
  }));
}

TEST_CASE("iequals: letters without case, everything else as it is") {
  for (int a = 0; a < 256; ++a) {
    for (int b = 0; b < 256; ++b) {
      const auto lower = [](int c) { return c >= 'A' && c <= 'Z' ? c + 32 : c; };
      const std::string one = "x" + std::string(1, static_cast<char>(a));
      const std::string other = "X" + std::string(1, static_cast<char>(b));
      if (brio::http::iequals(one, other) != (lower(a) == lower(b))) FAIL_CHECK(a << " and " << b);
    }
  }
  CHECK(!brio::http::iequals("a", "aa"));
}
