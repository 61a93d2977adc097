#include <brio/core/exceptions.hpp>
#include <brio/net/address.hpp>
#include <brio/net/addrinfo.hpp>

#include <doctest/doctest.h>
#include <cstring>
#include <netdb.h>
#include <unordered_map>

using brio::net::SocketAddress;

TEST_CASE("address: IPv4 and IPv6 literals") {
  const auto v4 = SocketAddress::ip("127.0.0.1", 8080);
  CHECK(v4.family() == AF_INET);
  CHECK(v4.host() == "127.0.0.1");
  CHECK(v4.port() == 8080);
  CHECK(v4.to_string() == "127.0.0.1:8080");
  CHECK(v4.is_loopback());
  CHECK(v4.raw_length() == sizeof(sockaddr_in));

  const auto v6 = SocketAddress::ip("2001:DB8::0:1", 443);
  CHECK(v6.family() == AF_INET6);
  CHECK(v6.host() == "2001:db8::1");
  CHECK(v6.to_string() == "[2001:db8::1]:443");
  CHECK_FALSE(v6.is_loopback());
  CHECK(SocketAddress::ip("::1", 1).is_loopback());
  CHECK(v6.with_port(1).port() == 1);
  CHECK(v6.with_port(1) != v6);
  CHECK(v4 != v6);
}

TEST_CASE("address: an unspecified address is false and says so") {
  const SocketAddress none;
  CHECK_FALSE(bool(none));
  CHECK(none.family() == AF_UNSPEC);
  CHECK(none.to_string() == "unspecified");
  CHECK(none.port() == 0);
  CHECK(none.host().empty());
  CHECK(none == SocketAddress());
}

TEST_CASE("address: what is no literal is refused, never looked up") {
  for (const char* text : {"", "localhost", "127.0.0.1 ", "1.2.3", "::1%", "::1%no-such-if",
                           "1.2.3.4%lo", "12345678901234567890123456789012345678901234567890"}) {
    CAPTURE(text);
    CHECK_FALSE(SocketAddress::parse_ip(text, 1).has_value());
    CHECK_THROWS_AS((void)SocketAddress::ip(text, 1), brio::ValueError);
    CHECK_FALSE(brio::net::is_ip_literal(text));
  }
  CHECK_FALSE(SocketAddress::parse_ip(std::string_view("::1\0", 4), 1).has_value());
}

TEST_CASE("address: IPv6 scopes by number and by interface name") {
  const auto numbered = SocketAddress::ip("fe80::1%1", 80);
  CHECK(numbered.scope_id() == 1);
  // Number 1 is the loopback interface on every Linux.
  CHECK(numbered.to_string() == "[fe80::1%lo]:80");
  CHECK(SocketAddress::ip("fe80::1%lo", 80) == numbered);
  CHECK(SocketAddress::ip("fe80::1%999999", 80).host() == "fe80::1%999999");
}

TEST_CASE("address: Unix paths and abstract names") {
  const auto path = SocketAddress::unix_path("/tmp/x.sock");
  CHECK(path.family() == AF_UNIX);
  CHECK(path.path() == "/tmp/x.sock");
  CHECK(path.to_string() == "unix:/tmp/x.sock");
  CHECK_FALSE(path.is_abstract());
  CHECK(path.with_port(5) == path);

  const auto name = SocketAddress::abstract("brio");
  CHECK(name.is_abstract());
  CHECK(name.path() == "brio");
  CHECK(name.to_string() == "unix:@brio");
  CHECK(SocketAddress::unix_address(std::string_view("\0brio", 5)) == name);
  CHECK(SocketAddress::unix_address("/tmp/x.sock") == path);
  CHECK(path != name);

  CHECK_THROWS_AS((void)SocketAddress::unix_path(""), brio::ValueError);
  CHECK_THROWS_AS((void)SocketAddress::unix_path(std::string(108, 'x')), brio::ValueError);
  CHECK_NOTHROW((void)SocketAddress::unix_path(std::string(107, 'x')));
  CHECK_THROWS_AS((void)SocketAddress::unix_path(std::string_view("a\0b", 3)), brio::ValueError);
  CHECK_THROWS_AS((void)SocketAddress::abstract(std::string(108, 'x')), brio::ValueError);
}

TEST_CASE("address: copies and moves, also from one family to another") {
  const auto path = SocketAddress::unix_path("/tmp/x.sock");
  const auto ip = SocketAddress::ip("::1", 80);
  SocketAddress one = path;
  SocketAddress two = one;
  CHECK(one == path);
  CHECK(two == path);
  two = ip;
  CHECK(two == ip);
  CHECK(one == path);
  two = one;
  const SocketAddress& itself = two;
  two = itself;
  CHECK(two == path);
  SocketAddress three = std::move(two);
  CHECK(three == path);
  CHECK(two != path);  // what is left of it can be asked all the same
  two = std::move(three);
  CHECK(two == path);
  two = SocketAddress();
  CHECK_FALSE(two);
  CHECK(two != ip);
}

TEST_CASE("address: parse reads what to_string wrote") {
  for (const char* text :
       {"127.0.0.1:80", "[::1]:443", "[fe80::1%lo]:1", "unix:/run/x", "unix:@name", "0.0.0.0:0"}) {
    CAPTURE(text);
    CHECK(SocketAddress::parse(text).to_string() == text);
  }
  for (const char* text : {"", "127.0.0.1", "::1:80", "[127.0.0.1]:80", "[::1]", "[::1]:", "a:1",
                           "1.2.3.4:65536", "1.2.3.4:-1", "1.2.3.4: 1", "unix:"}) {
    CAPTURE(text);
    CHECK_THROWS_AS((void)SocketAddress::parse(text), brio::ValueError);
  }
}

TEST_CASE("address: a kernel address of any length is taken without overrun") {
  sockaddr_un full{};
  full.sun_family = AF_UNIX;
  std::memset(full.sun_path, 'p', sizeof full.sun_path);  // no terminator, as Linux allows
  const auto address =
      SocketAddress::from_raw(reinterpret_cast<const sockaddr*>(&full), sizeof full);
  CHECK(address.path() == std::string(108, 'p'));
  CHECK(SocketAddress::from_raw(nullptr, 0).family() == AF_UNSPEC);
  CHECK(SocketAddress::from_raw(reinterpret_cast<const sockaddr*>(&full), 1).family() == AF_UNSPEC);
  const auto unnamed =
      SocketAddress::from_raw(reinterpret_cast<const sockaddr*>(&full), sizeof(sa_family_t));
  CHECK(unnamed.family() == AF_UNIX);
  CHECK(unnamed.path().empty());
  CHECK(unnamed.to_string() == "unix:");
  CHECK(unnamed.raw_length() == sizeof(sa_family_t));
  CHECK(unnamed == SocketAddress(unnamed));
  CHECK(unnamed != address);
  CHECK(unnamed != SocketAddress());
}

TEST_CASE("address: usable as a map's key") {
  std::unordered_map<SocketAddress, int> seen;
  seen[SocketAddress::ip("127.0.0.1", 1)] = 1;
  seen[SocketAddress::abstract("x")] = 2;
  CHECK(seen.at(SocketAddress::ip("127.0.0.1", 1)) == 1);
  CHECK(seen.at(SocketAddress::abstract("x")) == 2);
}

TEST_CASE("getaddrinfo: literals, localhost and failures") {
  const auto answers = brio::net::blocking_getaddrinfo(
      "127.0.0.1", "80", {.type = SOCK_STREAM, .flags = AI_NUMERICHOST});
  REQUIRE(answers.size() == 1);
  CHECK(answers[0].address == SocketAddress::ip("127.0.0.1", 80));
  CHECK(answers[0].proto == IPPROTO_TCP);

  CHECK_THROWS_AS(
      (void)brio::net::blocking_getaddrinfo("not a host", "80", {.flags = AI_NUMERICHOST}),
      brio::gaierror);
  try {
    (void)brio::net::blocking_getaddrinfo("nowhere", "80", {.flags = AI_NUMERICHOST});
    FAIL("no error");
  } catch (const brio::OSError& error) {
    CHECK(error.code().category() == brio::net::gai_category());
    CHECK(error.error_number() == EAI_NONAME);
    CHECK(std::string(error.what()).find("'nowhere'") != std::string::npos);
  }
  CHECK_THROWS_AS((void)brio::net::blocking_getaddrinfo(std::string("a\0b", 3), "80"),
                  brio::ValueError);
}

TEST_CASE("literal_addrinfo answers literals only, and only in the family asked for") {
  const auto v4 = brio::net::literal_addrinfo("10.0.0.1", 5, {.type = SOCK_STREAM});
  REQUIRE(v4.has_value());
  CHECK(v4->proto == IPPROTO_TCP);
  CHECK(brio::net::literal_addrinfo("10.0.0.1", 5, {.type = SOCK_DGRAM})->proto == IPPROTO_UDP);
  CHECK_FALSE(brio::net::literal_addrinfo("10.0.0.1", 5, {.family = AF_INET6}).has_value());
  CHECK_FALSE(brio::net::literal_addrinfo("localhost", 5).has_value());
}

TEST_CASE("getnameinfo: numeric") {
  const auto [host, service] =
      brio::net::blocking_getnameinfo(SocketAddress::ip("::1", 7), NI_NUMERICHOST | NI_NUMERICSERV);
  CHECK(host == "::1");
  CHECK(service == "7");
}
