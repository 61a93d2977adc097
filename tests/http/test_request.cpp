#include <brio/http/redirect.hpp>
#include <brio/http/serializer.hpp>

#include <doctest/doctest.h>

using brio::http::Headers;
using brio::http::RequestHead;
using brio::http::ResponseHead;
using brio::http::serialize_request;
using brio::http::TargetForm;
using brio::http::URL;

TEST_CASE("a request as bytes") {
  RequestHead head{.method = "GET", .url = URL("http://u:p@Host:8080/a b?q#f"), .headers = {}};
  CHECK(serialize_request(head) == "GET /a%20b?q HTTP/1.1\r\nHost: host:8080\r\n\r\n");
  CHECK(serialize_request(head, TargetForm::absolute) ==
        "GET http://host:8080/a%20b?q HTTP/1.1\r\nHost: host:8080\r\n\r\n");
  CHECK(serialize_request(head, TargetForm::authority).starts_with("GET host:8080 HTTP/1.1\r\n"));
  CHECK(serialize_request(head, TargetForm::asterisk).starts_with("GET * HTTP/1.1\r\n"));
  head.headers = Headers{{"Accept", "*/*"}, {"host", "other"}, {"Content-Length", "3"}};
  CHECK(serialize_request(head) ==
        "GET /a%20b?q HTTP/1.1\r\nHost: other\r\nAccept: */*\r\nContent-Length: 3\r\n\r\n");
  head.url = URL("https://[::1]/");
  head.headers.clear();
  CHECK(serialize_request(head) == "GET / HTTP/1.1\r\nHost: [::1]\r\n\r\n");
}

TEST_CASE("a request that would be read as two is refused") {
  RequestHead head{.method = "GET / HTTP/1.1\r\nX: y", .url = URL("http://h/"), .headers = {}};
  CHECK_THROWS_AS(static_cast<void>(serialize_request(head)), brio::ValueError);
  head.method = "";
  CHECK_THROWS_AS(static_cast<void>(serialize_request(head)), brio::ValueError);
  head.method = "POST";
  head.headers = Headers{{"Content-Length", "3"}, {"Transfer-Encoding", "chunked"}};
  CHECK_THROWS_AS(static_cast<void>(serialize_request(head)), brio::ValueError);
  head.headers = Headers{{"Content-Length", "3"}, {"content-length", "3"}};
  CHECK_THROWS_AS(static_cast<void>(serialize_request(head)), brio::ValueError);
  head.headers = Headers{{"Host", "a"}, {"Host", "b"}};
  CHECK_THROWS_AS(static_cast<void>(serialize_request(head)), brio::ValueError);
}

TEST_CASE("chunk framing") {
  CHECK(brio::http::chunk_prefix(26) == "1a\r\n");
  CHECK(brio::http::chunk_prefix(1) == "1\r\n");
}

TEST_CASE("redirects: method, target, credentials") {
  const auto plan = [](const char* method, int status, const char* location,
                       const char* url = "https://a/x/y#f") {
    const RequestHead request{.method = method, .url = URL(url), .headers = {}};
    ResponseHead response{.version = {}, .status = status, .reason = "", .headers = {}};
    if (location != nullptr) response.headers.add("Location", location);
    const auto result = plan_redirect(request, response);
    if (!result) return std::string("none");
    return result->method + " " + result->url.str() + (result->drops_body ? " no-body" : "") +
           (result->crosses_origin ? " crosses" : "");
  };
  CHECK(plan("GET", 301, "z") == "GET https://a/x/z#f");
  CHECK(plan("GET", 302, "/z#g") == "GET https://a/z#g");
  CHECK(plan("POST", 301, "/z") == "GET https://a/z#f no-body");
  CHECK(plan("POST", 302, "/z") == "GET https://a/z#f no-body");
  CHECK(plan("PUT", 302, "/z") == "PUT https://a/z#f");
  CHECK(plan("PUT", 303, "/z") == "GET https://a/z#f no-body");
  CHECK(plan("HEAD", 303, "/z") == "HEAD https://a/z#f");
  CHECK(plan("POST", 307, "/z") == "POST https://a/z#f");
  CHECK(plan("POST", 308, "/z") == "POST https://a/z#f");
  CHECK(plan("GET", 302, "//b/z") == "GET https://b/z#f crosses");
  CHECK(plan("GET", 302, "http://a/z") == "GET http://a/z#f crosses");
  CHECK(plan("GET", 302, "https://a:444/z") == "GET https://a:444/z#f crosses");
  CHECK(plan("GET", 302, "https://A:443/z") == "GET https://a/z#f");
  CHECK(plan("GET", 302, "") == "GET https://a/x/y#f");
  CHECK(plan("GET", 200, "/z") == "none");
  CHECK(plan("GET", 300, "/z") == "none");
  CHECK(plan("GET", 304, "/z") == "none");
  CHECK(plan("GET", 305, "/z") == "none");
  CHECK(plan("GET", 302, nullptr) == "none");
  CHECK_THROWS_AS(plan("GET", 302, "file:///etc/passwd"), brio::http::InvalidURL);
  CHECK_THROWS_AS(plan("GET", 302, "javascript:x"), brio::http::InvalidURL);

  Headers headers{{"Authorization", "a"},
                  {"Cookie", "b"},
                  {"Host", "c"},
                  {"Accept", "d"},
                  {"Content-Length", "1"},
                  {"content-type", "e"},
                  {"Proxy-Authorization", "f"}};
  Headers kept = headers;
  strip_for_redirect(kept, {.url = URL("http://x/"), .method = "GET"});
  CHECK(kept == headers);
  strip_for_redirect(kept, {.url = URL("http://x/"), .method = "GET", .crosses_origin = true});
  CHECK(kept == Headers{{"Accept", "d"}, {"Content-Length", "1"}, {"content-type", "e"}});
  strip_for_redirect(kept, {.url = URL("http://x/"), .method = "GET", .drops_body = true});
  CHECK(kept == Headers{{"Accept", "d"}});
}

TEST_CASE("idempotent methods") {
  CHECK(brio::http::is_idempotent("GET"));
  CHECK(brio::http::is_idempotent("DELETE"));
  CHECK_FALSE(brio::http::is_idempotent("POST"));
  CHECK_FALSE(brio::http::is_idempotent("PATCH"));
  CHECK_FALSE(brio::http::is_idempotent("get"));
  CHECK(brio::http::reason_phrase(404) == "Not Found");
  CHECK(brio::http::reason_phrase(299).empty());
}
