#include <brio/http/url.hpp>

#include <doctest/doctest.h>

#include <string>
#include <vector>

using brio::http::InvalidURL;
using brio::http::URL;
using brio::http::without_credentials;

namespace {

std::string refusal(std::string_view text) {
  try {
    return "accepted as " + URL(text).str();
  } catch (const InvalidURL&) {
    return "refused";
  }
}

std::string joined(const char* base, std::string_view reference) {
  try {
    return URL(base).join(reference).str();
  } catch (const InvalidURL&) {
    return "refused";
  }
}

struct Case {
  const char* in;
  const char* out;
};

}  // namespace

TEST_CASE("the parts of a URL") {
  const URL url("HTTPS://us%65r:p%40ss@Example.COM:8443/a%20b/c;d=1?x=1&y=a+b#frag");
  CHECK(url.scheme() == "https");
  CHECK(url.is_secure());
  CHECK(url.raw_user() == "user");
  CHECK(url.user() == "user");
  CHECK(url.raw_password() == "p%40ss");
  CHECK(url.password() == "p@ss");
  CHECK(url.host() == "example.com");
  CHECK(url.port() == 8443);
  CHECK_FALSE(url.is_default_port());
  CHECK(url.host_port_subcomponent() == "example.com:8443");
  CHECK(url.raw_path() == "/a%20b/c;d=1");
  CHECK(url.path() == "/a b/c;d=1");
  CHECK(url.name() == "c;d=1");
  CHECK(url.raw_query_string() == "x=1&y=a+b");
  CHECK(url.query() == std::vector<std::pair<std::string, std::string>>{{"x", "1"}, {"y", "a b"}});
  CHECK(url.raw_path_qs() == "/a%20b/c;d=1?x=1&y=a+b");
  CHECK(url.raw_fragment() == "frag");
  CHECK(url.origin() == "https://example.com:8443");
  CHECK(url.str() == "https://user:p%40ss@example.com:8443/a%20b/c;d=1?x=1&y=a+b#frag");
  CHECK(url.without_userinfo().str() == "https://example.com:8443/a%20b/c;d=1?x=1&y=a+b#frag");
  CHECK(url == URL(url.str()));
}

TEST_CASE("normal forms") {
  for (const Case& c : std::vector<Case>{
           {"http://h", "http://h/"},
           {"http://h:80/", "http://h/"},
           {"https://h:443/", "https://h/"},
           {"http://h:443/", "http://h:443/"},
           {"http://h:/", "http://h/"},
           {"http://h:00080/x", "http://h/x"},
           {"http://h?", "http://h/?"},
           {"http://h#", "http://h/#"},
           {"http://h?q#f?x", "http://h/?q#f?x"},
           {"http://h/%7euser/%c3%a4", "http://h/~user/%C3%A4"},
           {"http://h/a/./b/../c", "http://h/a/c"},
           {"http://h/%2e%2E/a/%2e/b", "http://h/a/b"},
           {"http://h/../../x", "http://h/x"},
           {"http://h/a/..", "http://h/"},
           {"http://h/a/b/.", "http://h/a/b/"},
           {"http://h//a//b", "http://h//a//b"},
           {"http://h/a//../b", "http://h/a/b"},
           {"http://h/%2Fa%2fb", "http://h/%2Fa%2Fb"},
           {"http://h/a%26b?c%26d", "http://h/a%26b?c%26d"},
           {"http://h/a b?c d#e f", "http://h/a%20b?c%20d#e%20f"},
           {"http://h/100%", "http://h/100%25"},
           {"http://h/%zz%4", "http://h/%25zz%254"},
           {"http://h/{a}|^`\"<>[]", "http://h/%7Ba%7D%7C%5E%60%22%3C%3E%5B%5D"},
           {"http://h/?a\\b", "http://h/?a%5Cb"},
           {"http://h/\xc3\xa4?\xe4", "http://h/%C3%A4?%E4"},
           {"http://h/a:b@c", "http://h/a:b@c"},
           {"http://@h/", "http://h/"},
           {"http://u@h/", "http://u@h/"},
           {"http://:p@h/", "http://:p@h/"},
           {"http://u:p:q@h/", "http://u:p%3Aq@h/"},
           {"http://%41%2eb/", "http://a.b/"},
           {"http://h./", "http://h./"},
           {"http://a_b-c/", "http://a_b-c/"},
           {"http://127.0.0.1:8080/", "http://127.0.0.1:8080/"},
           {"http://1.2.3.4.example/", "http://1.2.3.4.example/"},
           {"http://[::1]:8080/x", "http://[::1]:8080/x"},
           {"http://[2001:DB8:0:0:0:0:0:1]/", "http://[2001:db8::1]/"},
       }) {
    CAPTURE(c.in);
    const URL url(c.in);
    CHECK(url.str() == c.out);
    CHECK(URL(url.str()) == url);
  }
  CHECK(URL("http://[::1]/").host() == "::1");
  CHECK(URL("http://[::1]/").host_subcomponent() == "[::1]");
}

TEST_CASE("what parsers read differently is refused") {
  for (const char* text : {
           "",
           "/",
           "h",
           "h/x",
           "//h/x",
           "http",
           "http:",
           "http:/h",
           "http:h",
           "http://",
           "http:///x",
           "http://?",
           "http://:80/",
           "http://u@/",
           "ftp://h/",
           "file:///etc/passwd",
           "javascript:alert(1)",
           "ht tp://h/",
           "1http://h/",
           " http://h/",
           "http://h/ ",
           "http://h/\n",
           "http://h/\tx",
           "http://h\r\n/",
           "http://h/x\x7f",
           "http://\\h",
           "http://h\\@evil/",
           "http://h/a\\b",
           "http:\\\\h\\",
           "http://a@b@c/",
           "http://a b/",
           "http://a%20b/",
           "http://a%2fb/",
           "http://a%00b/",
           "http://a%23b/",
           "http://a<b/",
           "http://a|b/",
           "http://a^b/",
           "http://%zz/",
           "http://h:65536/",
           "http://h:99999999999/",
           "http://h:-1/",
           "http://h:+80/",
           "http://h:8x/",
           "http://h: 80/",
           "http://h:80:80/",
           "http://127.1/",
           "http://0x7f.0.0.1/",
           "http://0x7f000001/",
           "http://2130706433/",
           "http://0177.0.0.1/",
           "http://127.0.0.01/",
           "http://256.1.1.1/",
           "http://1.2.3.4./",
           "http://1.2.3/",
           "http://1.2.3.4.5/",
           "http://a.0x/",
           "http://%31%32%37.1/",
           "http://[::1/",
           "http://[]/",
           "http://[::g]/",
           "http://[1.2.3.4]/",
           "http://[::1]x/",
           "http://[fe80::1%25eth0]/",
           "http://[v1.x]/",
           "http://::1/",
       }) {
    CAPTURE(text);
    CHECK(refusal(text) == "refused");
  }
  CHECK(refusal(std::string_view("http://h/\0x", 11)) == "refused");
  CHECK(refusal("http://" + std::string(256, 'a') + "/") == "refused");
}

TEST_CASE("the length limit and its knob") {
  const std::string text = "http://h/" + std::string(100, 'a');
  CHECK_NOTHROW(URL(text, 109));
  CHECK_THROWS_AS(URL(text, 108), InvalidURL);
  CHECK_THROWS_AS(URL("http://h/" + std::string(URL::default_max_length, 'a')), InvalidURL);
  CHECK_THROWS_AS(static_cast<void>(URL("http://h/").join(std::string(70'000, 'a'))), InvalidURL);
  CHECK_THROWS_AS(static_cast<void>(URL("http://h/").join("aaaa", 10)), InvalidURL);
}

TEST_CASE("RFC 3986 section 5.4: resolution") {
  const char* base = "http://a/b/c/d;p?q";
  for (const Case& c : std::vector<Case>{
           // §5.4.1, normal examples
           {"g:h", "refused"},  // another scheme
           {"g", "http://a/b/c/g"},
           {"./g", "http://a/b/c/g"},
           {"g/", "http://a/b/c/g/"},
           {"/g", "http://a/g"},
           {"//g", "http://g/"},
           {"?y", "http://a/b/c/d;p?y"},
           {"g?y", "http://a/b/c/g?y"},
           {"#s", "http://a/b/c/d;p?q#s"},
           {"g#s", "http://a/b/c/g#s"},
           {"g?y#s", "http://a/b/c/g?y#s"},
           {";x", "http://a/b/c/;x"},
           {"g;x", "http://a/b/c/g;x"},
           {"g;x?y#s", "http://a/b/c/g;x?y#s"},
           {"", "http://a/b/c/d;p?q"},
           {".", "http://a/b/c/"},
           {"./", "http://a/b/c/"},
           {"..", "http://a/b/"},
           {"../", "http://a/b/"},
           {"../g", "http://a/b/g"},
           {"../..", "http://a/"},
           {"../../", "http://a/"},
           {"../../g", "http://a/g"},
           // §5.4.2, abnormal examples
           {"../../../g", "http://a/g"},
           {"../../../../g", "http://a/g"},
           {"/./g", "http://a/g"},
           {"/../g", "http://a/g"},
           {"g.", "http://a/b/c/g."},
           {".g", "http://a/b/c/.g"},
           {"g..", "http://a/b/c/g.."},
           {"..g", "http://a/b/c/..g"},
           {"./../g", "http://a/b/g"},
           {"./g/.", "http://a/b/c/g/"},
           {"g/./h", "http://a/b/c/g/h"},
           {"g/../h", "http://a/b/c/h"},
           {"g;x=1/./y", "http://a/b/c/g;x=1/y"},
           {"g;x=1/../y", "http://a/b/c/y"},
           {"g?y/./x", "http://a/b/c/g?y/./x"},
           {"g?y/../x", "http://a/b/c/g?y/../x"},
           {"g#s/./x", "http://a/b/c/g#s/./x"},
           {"g#s/../x", "http://a/b/c/g#s/../x"},
           {"http:g", "refused"},  // strict, and no host
           // beyond the RFC's list
           {"HTTPS://X/y", "https://x/y"},
           {"//u:p@x:81/y", "http://u:p@x:81/y"},
           {"///y", "refused"},
           {"\\\\evil/y", "refused"},
           {"/\\evil", "refused"},
           {"/%2e%2e/g", "http://a/g"},
           {"a b", "http://a/b/c/a%20b"},
           {"g\r\nX: y", "refused"},
           {"?", "http://a/b/c/d;p?"},
           {"#", "http://a/b/c/d;p?q#"},
       }) {
    CAPTURE(c.in);
    CHECK(joined(base, c.in) == c.out);
  }
  CHECK(joined("http://u:p@a/b", "c") == "http://u:p@a/c");
  CHECK(joined("http://a", "c") == "http://a/c");
  CHECK(joined("http://a?q", "c") == "http://a/c");
  CHECK(joined("http://a/b/c?q/r#f", "d") == "http://a/b/d");
}

TEST_CASE("origins, fragments and queries") {
  CHECK(URL("http://a/x").same_origin("http://A:80/y"));
  CHECK_FALSE(URL("http://a/").same_origin("https://a/"));
  CHECK_FALSE(URL("http://a/").same_origin("http://a:81/"));
  CHECK_FALSE(URL("http://a/").same_origin("http://b/"));
  CHECK(URL("http://a/#x").with_fragment(std::nullopt).str() == "http://a/");
  CHECK(URL("http://a/").with_fragment("a b").str() == "http://a/#a%20b");
  CHECK(URL("http://a/").extend_query({}).str() == "http://a/");
  CHECK(URL("http://a/").extend_query({{"k", "v w"}, {"&", "="}}).str() ==
        "http://a/?k=v%20w&%26=%3D");
  CHECK(URL("http://a/?x").extend_query({{"k", ""}}).str() == "http://a/?x&k=");
  CHECK(URL("http://a/?a=b=c&&d&=e").query() ==
        std::vector<std::pair<std::string, std::string>>{{"a", "b=c"}, {"d", ""}, {"", "e"}});
  CHECK(brio::http::percent_encode("a/b c~\xff") == "a%2Fb%20c~%FF");
  CHECK(brio::http::percent_decode("%41%2") == "A%2");
}

TEST_CASE("names outside ASCII become A-labels") {
  CHECK(URL("http://B\xc3\xbc"
            "cher.example/")
            .host() == "xn--bcher-kva.example");
  CHECK(URL("http://b%C3%BCcher.example/").host() == "xn--bcher-kva.example");
  CHECK(URL("http://fa\xc3\x9f.de/").host() == "xn--fa-hia.de");  // non-transitional
  // Full-width forms map to ASCII first and are judged after that.
  CHECK(refusal("http://\xef\xbc\x91\xef\xbc\x92\xef\xbc\x97.1/") == "refused");
  CHECK(refusal("http://a\xef\xbc\x8f"
                "b/") == "refused");
  CHECK(refusal("http://\xff/") == "refused");
}

TEST_CASE("passwords are taken out of what is shown") {
  CHECK(without_credentials("http://h/a@b") == "http://h/a@b");
  CHECK(without_credentials("http://u:secret@h/a@b?c#d") == "http://h/a@b?c#d");
  CHECK(without_credentials("http://:secret@h/") == "http://h/");
  CHECK(without_credentials("no URL") == "no URL");
  for (const char* bad : {"http://u:se/cret@h/", "http://u:cret@secret@h/", "http://u:secret@h:x/",
                          "ftp://u:secret@h/", "u:secret@h/", "http:/\\u:secret@h//"}) {
    CAPTURE(bad);
    CHECK(without_credentials(bad).find("cret") == std::string::npos);
    try {
      const URL url(bad);
      FAIL("is a URL");
    } catch (const InvalidURL& error) {
      CHECK(std::string_view(error.what()).find("cret") == std::string_view::npos);
      CHECK(std::string_view(error.what()).find("@h") != std::string_view::npos);
    }
  }
}
