#include <brio/core/exceptions.hpp>
#include <brio/http/client.hpp>
#include <brio/http/cookies.hpp>
#include <brio/http/router.hpp>

#include "server_support.hpp"

#include <doctest/doctest.h>
#include <string>

using namespace brio::http;

namespace {

using std::chrono::sys_seconds;

sys_seconds clock_now = sys_seconds(std::chrono::seconds(1'800'000'000));

CookieJar jar(CookieJarOptions options = {}) {
  clock_now = sys_seconds(std::chrono::seconds(1'800'000'000));
  options.now = [] { return clock_now; };
  return CookieJar(std::move(options));
}

// What goes to `url` after `field` came from `from`.
std::string after(std::string_view field, const char* from, const char* url) {
  CookieJar cookies = jar();
  (void)cookies.set(field, from);
  return cookies.cookie_header(url);
}

}  // namespace

TEST_CASE("a cookie goes back to its host and path") {
  CHECK(after("a=b", "http://x.com/", "http://x.com/y") == "a=b");
  CHECK(after("a=b", "http://x.com/", "http://y.com/").empty());
  CHECK(after("a=b", "http://x.com/", "http://sub.x.com/").empty());
  CHECK(after("a=b", "http://x.com/p/q", "http://x.com/p/r") == "a=b");
  CHECK(after("a=b", "http://x.com/p/q", "http://x.com/pp").empty());
  CHECK(after("a=b; path=/p", "http://x.com/", "http://x.com/p") == "a=b");
  CHECK(after("a=b; path=/p", "http://x.com/", "http://x.com/pq").empty());
  CHECK(after("a=b; path=nonsense", "http://x.com/d/e", "http://x.com/d/") == "a=b");
  CHECK(after("a=\"b c\"; x", "http://x.com/", "http://x.com/") == "a=\"b c\"");
  CHECK(after("justvalue", "http://x.com/", "http://x.com/") == "justvalue");
  CHECK(after("=v", "http://x.com/", "http://x.com/") == "v");
  CHECK(after(" a = b ;", "http://x.com/", "http://x.com/") == "a=b");
}

TEST_CASE("domains: what the host lies in, and no public suffix") {
  CHECK(after("a=b; Domain=x.com", "http://www.x.com/", "http://other.x.com/") == "a=b");
  CHECK(after("a=b; Domain=.X.com", "http://www.x.com/", "http://x.com/") == "a=b");
  CHECK(after("a=b; Domain=y.com", "http://x.com/", "http://y.com/").empty());
  CHECK(after("a=b; Domain=www.x.com", "http://x.com/", "http://www.x.com/").empty());
  CHECK(after("a=b; Domain=com", "http://x.com/", "http://x.com/").empty());
  CHECK(after("a=b; Domain=co.uk", "http://x.co.uk/", "http://y.co.uk/").empty());
  CHECK(after("a=b; Domain=github.io", "http://me.github.io/", "http://me.github.io/").empty());
  CHECK(after("a=b; Domain=", "http://x.com/", "http://x.com/") == "a=b");
  CHECK(after("a=b; Domain=om", "http://x.com/", "http://x.com/").empty());
  CHECK(after("a=b", "http://127.0.0.1/", "http://127.0.0.1/").empty());
  CookieJar unsafe = jar({.unsafe = true});
  CHECK(unsafe.set("a=b", "http://127.0.0.1/"));
  CHECK_FALSE(unsafe.set("a=b; Domain=0.0.1", "http://127.0.0.1/"));
  CHECK(unsafe.cookie_header("http://127.0.0.1:8080/") == "a=b");
  CHECK(unsafe.set("six=1", "http://[::1]/"));
  CHECK(unsafe.cookie_header("http://[::1]/") == "six=1");
}

TEST_CASE("secure cookies, and the promises of names") {
  CHECK(after("a=b; Secure", "https://x.com/", "http://x.com/").empty());
  CHECK(after("a=b; Secure", "https://x.com/", "https://x.com/") == "a=b");
  CHECK(after("a=b; Secure", "http://x.com/", "https://x.com/").empty());
  CookieJar cookies = jar();
  CHECK(cookies.set("a=good; Secure; Path=/p", "https://x.com/"));
  CHECK_FALSE(cookies.set("a=evil; Path=/p/q", "http://x.com/"));
  CHECK_FALSE(cookies.set("a=evil; Domain=x.com; Path=/p", "http://www.x.com/"));
  CHECK(cookies.set("a=elsewhere; Path=/", "http://x.com/"));
  CHECK_FALSE(cookies.set("__Secure-a=b", "https://x.com/"));
  CHECK(cookies.set("__Secure-a=b; Secure", "https://x.com/"));
  CHECK_FALSE(cookies.set("__Host-a=b; Secure", "https://x.com/"));
  CHECK_FALSE(cookies.set("__HOST-a=b; Secure; Path=/; Domain=x.com", "https://x.com/"));
  CHECK(cookies.set("__Host-a=b; Secure; Path=/", "https://x.com/"));
  CHECK_FALSE(cookies.set("=__Host-a=b", "https://x.com/"));
}

TEST_CASE("expiry: Max-Age before Expires, 400 days at most") {
  CookieJar cookies = jar();
  CHECK(cookies.set("a=1; Max-Age=10; Expires=Thu, 01 Jan 1970 00:00:00 GMT", "http://x.com/"));
  CHECK(cookies.set("b=1; Expires=Fri, 15 Jan 2027 08:00:20 GMT", "http://x.com/"));
  CHECK(cookies.set("c=1", "http://x.com/"));
  CHECK(cookies.set("d=1; Max-Age=99999999999999999999", "http://x.com/"));
  CHECK(cookies.set("e=1; Max-Age=x", "http://x.com/"));
  CHECK(cookies.cookie_header("http://x.com/") == "a=1; b=1; c=1; d=1; e=1");
  clock_now += std::chrono::seconds(10);
  CHECK(cookies.cookie_header("http://x.com/") == "b=1; c=1; d=1; e=1");
  clock_now += std::chrono::seconds(10);
  CHECK(cookies.cookie_header("http://x.com/") == "c=1; d=1; e=1");
  clock_now += std::chrono::days(400);
  CHECK(cookies.cookie_header("http://x.com/") == "c=1; e=1");
  CHECK(cookies.set("c=; Max-Age=0", "http://x.com/"));
  CHECK(cookies.set("e=; Expires=Thu, 01 Jan 1970 00:00:00 GMT", "http://x.com/"));
  CHECK(cookies.size() == 0);
}

TEST_CASE("order, replacement, the program's own") {
  CookieJar cookies = jar();
  CHECK(cookies.set("a=1", "http://x.com/"));
  CHECK(cookies.set("b=2; Path=/long", "http://x.com/"));
  CHECK(cookies.set("c=3; Domain=x.com", "http://x.com/"));
  CHECK(cookies.set("a=9", "http://x.com/"));
  CHECK(cookies.cookie_header("http://x.com/long/er") == "b=2; a=9; c=3");
  cookies.update_cookies({{"own", "v"}}, "http://x.com/deep/er");
  CHECK(cookies.cookie_header("http://x.com/") == "a=9; c=3; own=v");
  CHECK_THROWS_AS(cookies.update_cookies({{"own", "v;w"}}, "http://x.com/"), brio::ValueError);
  CHECK_THROWS_AS(cookies.update_cookies({{"o w", "v"}}, "http://x.com/"), brio::ValueError);
  cookies.update_cookies_from_headers(
      Headers{{"Set-Cookie", "a=10"}, {"X", "y"}, {"set-cookie", "z=1"}}, "http://x.com/");
  CHECK(cookies.cookie_header("http://x.com/") == "a=10; c=3; own=v; z=1");
  cookies.clear_domain("com");
  CHECK(cookies.size() == 0);
}

TEST_CASE("limits") {
  CookieJar cookies =
      jar({.max_cookies = 5, .max_per_domain = 3, .max_cookie_size = 10, .max_attribute_size = 20});
  CHECK_FALSE(cookies.set("name=1234567", "http://x.com/"));
  CHECK(cookies.set("name=123456", "http://x.com/"));
  CHECK(cookies.set("b=1; Path=/" + std::string(30, 'p'), "http://x.com/"));
  CHECK(cookies.set("c=1", "http://x.com/"));
  CHECK(cookies.set("d=1", "http://x.com/"));
  CHECK(cookies.cookie_header("http://x.com/") == "b=1; c=1; d=1");
  for (int i = 0; i < 9; ++i) {
    CHECK(cookies.set("e=1", "http://y" + std::to_string(i) + ".com/"));
  }
  CHECK(cookies.size() == 5);
  CHECK_FALSE(cookies.set(std::string("a=b\x01", 4), "http://x.com/"));
  CHECK_FALSE(cookies.set("", "http://x.com/"));
  CHECK_FALSE(cookies.set("=", "http://x.com/"));
}

TEST_CASE("dates of cookies, leniently") {
  const sys_seconds expected = *parse_cookie_date("Wed, 09 Jun 2021 10:18:14 GMT");
  for (const char* text :
       {"Wednesday, 09-Jun-21 10:18:14 GMT", "09 June 2021 10:18:14", "10:18:14 9 jun 2021",
        "Wed Jun  9 10:18:14 2021", "9,Jun,2021,10:18:14", "2021 9 Jun 10:18:14 9"}) {
    CAPTURE(text);
    const auto date = parse_cookie_date(text);
    const bool year_first = std::string_view(text).starts_with("2021");
    if (!year_first) {
      REQUIRE(date);
      CHECK(*date == expected);
    }
  }
  for (const char* text : {"", "x", "9 Jun 2021", "32 Jun 2021 10:18:14", "31 Feb 2021 10:18:14",
                           "9 Jun 1600 10:18:14", "9 Jun 2021 24:18:14", "9 Jun 2021 10:60:14",
                           "9 Foo 2021 10:18:14"}) {
    CAPTURE(text);
    CHECK_FALSE(parse_cookie_date(text));
  }
}

TEST_CASE("a session keeps what servers set, also on the way of redirects") {
  Router router;
  router.add_get("/login", [](Request&) -> brio::Coro<Response> {
    Response response({.status = 302, .headers = {{"Location", "/home"}}});
    response.set_cookie("id", "42");
    co_return response;
  });
  const Handler show = [](Request& request) -> brio::Coro<Response> {
    co_return std::string(request.headers().get("Cookie", "none"));
  };
  router.add_get("/home", show);
  router.add_get("/logout", [](Request&) -> brio::Coro<Response> {
    Response response("out");
    response.del_cookie("id");
    co_return response;
  });
  brio::tests::with_http_server(router.handler(), {}, [](Server& server) -> brio::Coro<> {
    const std::string url = "http://127.0.0.1:" + std::to_string(server.port());
    ClientSession session(
        {.cookie_jar = std::make_shared<CookieJar>(CookieJarOptions{.unsafe = true})});
    const auto text = [&session](std::string at,
                                 RequestOptions options) -> brio::Coro<std::string> {
      auto response = co_await session.get(at, std::move(options));
      co_return co_await response.text();
    };
    const std::string first = co_await text(url + "/login", {});
    CHECK(first == "id=42");
    const std::string own = co_await text(url + "/home", {.cookies = {{"a", "b"}}});
    CHECK(own == "a=b; id=42");
    const std::string replaced = co_await text(url + "/home", {.cookies = {{"id", "7"}}});
    CHECK(replaced == "id=7");
    const std::string field = co_await text(url + "/home", {.headers = {{"Cookie", "x=y"}}});
    CHECK(field == "x=y; id=42");
    CHECK(session.cookie_jar()->size() == 1);
    co_await text(url + "/logout", {});
    const std::string out = co_await text(url + "/home", {});
    CHECK(out == "none");
    co_await session.close();

    ClientSession careful;  // takes no cookies from addresses
    auto response = co_await careful.get(url + "/login");
    const std::string none = co_await response.text();
    CHECK(none == "none");
    co_await careful.close();
  });
}
