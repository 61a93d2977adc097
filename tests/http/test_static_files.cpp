// Files as answers: types, conditions, ranges, variants, folders, and what must not be served.
#include "server_support.hpp"

#include <brio/http/conditional.hpp>
#include <brio/http/fields.hpp>
#include <brio/http/media_types.hpp>
#include <brio/http/router.hpp>
#include <brio/http/static_files.hpp>

#include <filesystem>
#include <fstream>
#include <unistd.h>

using namespace brio;
using namespace brio::tests;
using http::Headers;
using http::Precondition;
using http::RangeRequest;
using http::StaticFiles;
using http::Validators;

namespace {

namespace fs = std::filesystem;

struct Folder {
  fs::path path = fs::temp_directory_path() / ("brio-static-" + std::to_string(::getpid()));
  Folder() {
    fs::remove_all(path);
    fs::create_directories(path / "root/sub/deep");
    fs::create_directories(path / "root/bare");
    put("root/index.html", "<p>home");
    put("root/a.txt", "0123456789");
    put("root/sub/index.html", "sub");
    put("root/bare/x & <y>.txt", "x");
    put("root/.secret", "no");
    put("root/.well-known/ok", "yes");
    put("root/app.js", "plain");
    put("root/app.js.gz", "gzipped");
    put("root/app.js.br", "brotli");
    put("outside.txt", "outside");
    fs::create_symlink("../outside.txt", path / "root/escape");
    fs::create_symlink("a.txt", path / "root/inside");
    fs::create_symlink("/etc/passwd", path / "root/passwd");
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  ~Folder() { fs::remove_all(path); }
  void put(const std::string& name, const std::string& text) const {
    fs::create_directories((path / name).parent_path());
    std::ofstream(path / name) << text;
  }
  [[nodiscard]] std::string root() const { return (path / "root").string(); }
};

std::string ask(const StaticFiles& files, const std::string& target, const std::string& fields = "",
                const std::string& method = "GET") {
  return answer_to(files.handler(), method + " " + target + " HTTP/1.1\r\nHost: a\r\n" + fields +
                                        "Connection: close\r\n\r\n");
}
std::string status(const std::string& answer) { return answer.substr(9, 3); }
std::string body(const std::string& answer) { return answer.substr(answer.find("\r\n\r\n") + 4); }
std::string field(const std::string& answer, const std::string& name) {
  const std::size_t at = answer.find("\r\n" + name + ": ");
  if (at == std::string::npos) return "";
  return answer.substr(at + name.size() + 4, answer.find("\r\n", at + 2) - at - name.size() - 4);
}

}  // namespace

TEST_CASE("a file: type, length, validators") {
  const Folder folder;
  const StaticFiles files(folder.root(), {.cache_control = "no-cache"});
  const std::string answer = ask(files, "/a.txt");
  CHECK(status(answer) == "200");
  CHECK(body(answer) == "0123456789");
  CHECK(field(answer, "Content-Type") == "text/plain; charset=utf-8");
  CHECK(field(answer, "Content-Length") == "10");
  CHECK(field(answer, "Cache-Control") == "no-cache");
  CHECK(field(answer, "X-Content-Type-Options") == "nosniff");
  CHECK(http::parse_http_date(field(answer, "Last-Modified")));
  const std::string etag = field(answer, "ETag");
  CHECK(http::is_strong_etag(etag));
  CHECK(status(ask(files, "/a.txt", "If-None-Match: " + etag + "\r\n")) == "304");
  CHECK(body(ask(files, "/a.txt", "If-None-Match: " + etag + "\r\n")).empty());
  CHECK(status(ask(files, "/a.txt", "If-None-Match: \"other\", W/" + etag + "\r\n")) == "304");
  CHECK(status(ask(files, "/a.txt", "If-Match: \"other\"\r\n")) == "412");
  CHECK(status(ask(files, "/a.txt",
                   "If-Modified-Since: " + field(answer, "Last-Modified") + "\r\n")) == "304");
  const std::string head = ask(files, "/a.txt", "", "HEAD");
  CHECK(field(head, "Content-Length") == "10");
  CHECK(body(head).empty());
  CHECK(status(ask(files, "/a.txt", "", "POST")) == "405");
}

TEST_CASE("ranges") {
  const Folder folder;
  const StaticFiles files(folder.root());
  const auto part = [&](const std::string& range, const std::string& more = "") {
    const std::string answer = ask(files, "/a.txt", "Range: " + range + "\r\n" + more);
    return status(answer) + " " + field(answer, "Content-Range") + " " + body(answer);
  };
  CHECK(part("bytes=2-4") == "206 bytes 2-4/10 234");
  CHECK(part("bytes=7-") == "206 bytes 7-9/10 789");
  CHECK(part("bytes=7-99") == "206 bytes 7-9/10 789");
  CHECK(part("bytes=-3") == "206 bytes 7-9/10 789");
  CHECK(part("bytes=-99") == "206 bytes 0-9/10 0123456789");
  CHECK(part("bytes=10-") == "416 bytes */10 ");
  CHECK(part("bytes=-0") == "416 bytes */10 ");
  CHECK(part("bytes=0-1,3-4") == "200  0123456789");
  CHECK(part("bytes=4-2") == "200  0123456789");
  CHECK(part("bytes=a-b") == "200  0123456789");
  CHECK(part("lines=1-2") == "200  0123456789");
  CHECK(part("bytes=99999999999999999999-") == "200  0123456789");
  const std::string etag = field(ask(files, "/a.txt"), "ETag");
  CHECK(part("bytes=2-4", "If-Range: " + etag + "\r\n") == "206 bytes 2-4/10 234");
  CHECK(part("bytes=2-4", "If-Range: \"other\"\r\n") == "200  0123456789");
  CHECK(part("bytes=2-4", "If-Range: W/" + etag + "\r\n") == "200  0123456789");
}

TEST_CASE("folders, and the way to them") {
  const Folder folder;
  const StaticFiles files(folder.root());
  CHECK(body(ask(files, "/")) == "<p>home");
  CHECK(body(ask(files, "/sub/")) == "sub");
  CHECK(status(ask(files, "/sub")) == "308");
  CHECK(field(ask(files, "/sub?q=1"), "Location") == "/sub/?q=1");
  CHECK(status(ask(files, "/bare/")) == "404");
  CHECK(status(ask(files, "/a.txt/")) == "404");
  const StaticFiles listed(folder.root(), {.show_index = true});
  const std::string page = body(ask(listed, "/bare/"));
  CHECK(page.find("Index of /bare/") != std::string::npos);
  CHECK(page.find("href=\"./x%20%26%20%3Cy%3E.txt\">x &amp; &lt;y&gt;.txt<") != std::string::npos);
  const std::string root =
      body(ask(StaticFiles(folder.root(), {.index = {}, .show_index = true}), "/"));
  CHECK(root.find("a.txt") != std::string::npos);
  CHECK(root.find("secret") == std::string::npos);
  CHECK(root.find("../") == std::string::npos);
}

TEST_CASE("no path leads out of the folder, and none to what is hidden") {
  const Folder folder;
  const StaticFiles files(folder.root());
  for (const char* target :
       {"/../outside.txt", "/%2e%2e/outside.txt", "/sub/../../outside.txt", "/..%2foutside.txt",
        "/escape", "/passwd", "/.secret", "/%2esecret", "/a.txt%00", "//a.txt", "/sub//index.html",
        "/./a.txt", "/.", "/..", "/none", "/a.txt/x"}) {
    CAPTURE(target);
    CHECK(status(ask(files, target)) == "404");
  }
  CHECK(body(ask(files, "/inside")) == "0123456789");
  CHECK(body(ask(files, "/.well-known/ok")) == "yes");
  CHECK(body(ask(StaticFiles(folder.root(), {.dotfiles = true}), "/.secret")) == "no");
  // A redirect to a folder stays on this server.
  fs::create_directories(folder.path / "root/example.com");
  CHECK(status(ask(files, "//example.com")) == "404");
}

TEST_CASE("a variant that is packed already") {
  const Folder folder;
  const StaticFiles files(folder.root());
  const auto packed = [&](const std::string& codings) {
    const std::string answer = ask(files, "/app.js", "Accept-Encoding: " + codings + "\r\n");
    CHECK(field(answer, "Vary") == "Accept-Encoding");
    CHECK(field(answer, "Content-Type") == "text/javascript; charset=utf-8");
    return field(answer, "Content-Encoding") + " " + body(answer);
  };
  CHECK(packed("gzip, deflate, br") == "br brotli");
  CHECK(packed("gzip") == "gzip gzipped");
  CHECK(packed("br;q=0, gzip;q=0.5") == "gzip gzipped");
  CHECK(packed("identity") == " plain");
  fs::last_write_time(folder.path / "root/app.js.br",
                      fs::last_write_time(folder.path / "root/app.js") - std::chrono::hours(1));
  CHECK(packed("br, gzip") == "gzip gzipped");
  CHECK(body(ask(StaticFiles(folder.root(), {.precompressed = false}), "/app.js",
                 "Accept-Encoding: br\r\n")) == "plain");
}

TEST_CASE("a single-page application, a route's part, a file that the program names") {
  const Folder folder;
  const StaticFiles files(folder.root(), {.fallback = "index.html"});
  CHECK(body(ask(files, "/some/where")) == "<p>home");
  CHECK(body(ask(files, "/a.txt")) == "0123456789");
  http::Router router;
  router.add_get("/static/{path:*}", StaticFiles(folder.root()).handler());
  router.add_get("/file", [&](http::Request& request) -> Coro<http::Response> {
    co_return co_await http::file_response(request, folder.root() + "/a.txt",
                                           {.content_type = "text/x-own"});
  });
  const auto get = [&](const std::string& target) {
    return answer_to(router.handler(),
                     "GET " + target + " HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
  };
  CHECK(body(get("/static/sub/index.html")) == "sub");
  CHECK(body(get("/static/")) == "<p>home");
  CHECK(field(get("/static/sub"), "Location") == "/static/sub/");
  CHECK(field(get("/file"), "Content-Type") == "text/x-own");
  CHECK_THROWS_AS(StaticFiles("/nowhere/at/all"), FileNotFoundError);
}

TEST_CASE("preconditions in their order") {
  const Validators here{.etag = "\"a\"",
                        .last_modified = http::parse_http_date("Sun, 06 Nov 1994 08:49:37 GMT")};
  const auto say = [&](const Headers& fields, const char* method = "GET") {
    return http::evaluate_preconditions(method, fields, here);
  };
  const std::string before = "Sun, 06 Nov 1994 08:49:36 GMT";
  const std::string after = "Sun, 06 Nov 1994 08:49:38 GMT";
  CHECK(say({}) == Precondition::proceed);
  CHECK(say({{"If-Match", "*"}}) == Precondition::proceed);
  CHECK(say({{"If-Match", "\"b\", \"a\""}}) == Precondition::proceed);
  CHECK(say({{"If-Match", "W/\"a\""}}) == Precondition::failed);
  CHECK(say({{"If-Match", "\"a,b\""}}) == Precondition::failed);
  CHECK(say({{"If-Match", "\"a\""}, {"If-Unmodified-Since", before}}) == Precondition::proceed);
  CHECK(say({{"If-Unmodified-Since", before}}) == Precondition::failed);
  CHECK(say({{"If-Unmodified-Since", after}}) == Precondition::proceed);
  CHECK(say({{"If-Unmodified-Since", "never"}}) == Precondition::proceed);
  CHECK(say({{"If-None-Match", "*"}}) == Precondition::not_modified);
  CHECK(say({{"If-None-Match", "*"}}, "PUT") == Precondition::failed);
  CHECK(say({{"If-None-Match", "\"b\""}, {"If-Modified-Since", after}}) == Precondition::proceed);
  CHECK(say({{"If-Modified-Since", after}}) == Precondition::not_modified);
  CHECK(say({{"If-Modified-Since", before}}) == Precondition::proceed);
  CHECK(say({{"If-Modified-Since", after}}, "PUT") == Precondition::proceed);
}

TEST_CASE("media types by name") {
  CHECK(http::guess_media_type("/a/b.HTML") == "text/html; charset=utf-8");
  CHECK(http::guess_media_type("x.tar.gz") == "application/gzip");
  CHECK(http::guess_media_type("html") == "application/octet-stream");
  CHECK(http::guess_media_type(".html") == "application/octet-stream");
  CHECK(http::guess_media_type("a.html/b") == "application/octet-stream");
  CHECK(http::guess_media_type("") == "application/octet-stream");
}
