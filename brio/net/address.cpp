#include <brio/net/address.hpp>

#include <brio/core/exceptions.hpp>

#include <arpa/inet.h>
#include <charconv>
#include <cstddef>
#include <cstring>
#include <net/if.h>

namespace brio::net {

namespace {
constexpr std::size_t path_offset = offsetof(sockaddr_un, sun_path);

// Interface name or number after the '%' of a scoped literal; 0 when it is neither.
std::uint32_t parse_scope(std::string_view text) {
  if (text.empty() || text.size() >= 256) return 0;
  std::uint32_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error == std::errc() && end == text.data() + text.size()) return number;
  if (text.size() >= IF_NAMESIZE || text.find('\0') != text.npos) return 0;
  return if_nametoindex(std::string(text).c_str());
}

std::optional<std::uint16_t> parse_port(std::string_view text) {
  std::uint16_t port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (text.empty() || error != std::errc() || end != text.data() + text.size()) {
    return std::nullopt;
  }
  return port;
}
}  // namespace

SocketAddress::SocketAddress() noexcept {
  std::memset(&v6_, 0, sizeof v6_);
  any_.sa_family = AF_UNSPEC;
}

void SocketAddress::copy(const SocketAddress& other) noexcept {
  if (other.is_unix()) {
    std::construct_at(&unix_, other.unix_);
  } else {
    std::memcpy(&v6_, &other.v6_, sizeof v6_);
  }
}

void SocketAddress::move(SocketAddress& other) noexcept {
  if (other.is_unix()) {
    std::construct_at(&unix_, std::move(other.unix_));
    other.unix_.length = sizeof(sa_family_t);
  } else {
    std::memcpy(&v6_, &other.v6_, sizeof v6_);
  }
}

void SocketAddress::set_unix(std::shared_ptr<const sockaddr_un> name, std::size_t length) noexcept {
  destroy();
  std::construct_at(&unix_, Unix{AF_UNIX, static_cast<std::uint16_t>(length), std::move(name)});
}

socklen_t SocketAddress::raw_length() const noexcept {
  switch (family()) {
    case AF_UNSPEC: return 0;
    case AF_INET: return sizeof(sockaddr_in);
    case AF_INET6: return sizeof(sockaddr_in6);
    case AF_UNIX: return unix_.length;
    default: return sizeof(sa_family_t);
  }
}

SocketAddress SocketAddress::ip(std::string_view host, std::uint16_t port) {
  if (auto address = parse_ip(host, port)) return *std::move(address);
  throw ValueError("'" + std::string(host) + "' is not an IPv4 or IPv6 address");
}

std::optional<SocketAddress> SocketAddress::parse_ip(std::string_view host, std::uint16_t port) {
  std::string_view literal = host;
  std::uint32_t scope = 0;
  if (const auto percent = host.find('%'); percent != host.npos) {
    literal = host.substr(0, percent);
    scope = parse_scope(host.substr(percent + 1));
    if (scope == 0) return std::nullopt;
  }
  // inet_pton wants a terminated string; no literal is as long as this buffer.
  char text[INET6_ADDRSTRLEN + 1];
  if (literal.empty() || literal.size() >= sizeof text || literal.find('\0') != literal.npos) {
    return std::nullopt;
  }
  std::memcpy(text, literal.data(), literal.size());
  text[literal.size()] = '\0';

  SocketAddress address;
  if (scope == 0 && inet_pton(AF_INET, text, &address.v4_.sin_addr) == 1) {
    address.v4_.sin_family = AF_INET;
    address.v4_.sin_port = htons(port);
    return address;
  }
  if (inet_pton(AF_INET6, text, &address.v6_.sin6_addr) == 1) {
    address.v6_.sin6_family = AF_INET6;
    address.v6_.sin6_port = htons(port);
    address.v6_.sin6_flowinfo = 0;
    address.v6_.sin6_scope_id = scope;
    return address;
  }
  return std::nullopt;
}

SocketAddress SocketAddress::unix_path(std::string_view path) {
  if (path.empty()) throw ValueError("a Unix socket's path is empty");
  if (path.find('\0') != path.npos) throw ValueError("a Unix socket's path holds a zero byte");
  if (path.size() >= sizeof(sockaddr_un::sun_path)) {
    throw ValueError("a Unix socket's path is longer than 107 bytes: " + std::string(path));
  }
  auto name = std::make_shared<sockaddr_un>();
  name->sun_family = AF_UNIX;
  std::memcpy(name->sun_path, path.data(), path.size());
  SocketAddress address;
  address.set_unix(std::move(name), path_offset + path.size() + 1);
  return address;
}

SocketAddress SocketAddress::abstract(std::string_view name) {
  if (name.size() >= sizeof(sockaddr_un::sun_path)) {
    throw ValueError("an abstract socket's name is longer than 107 bytes");
  }
  auto raw = std::make_shared<sockaddr_un>();
  raw->sun_family = AF_UNIX;
  std::memcpy(raw->sun_path + 1, name.data(), name.size());
  SocketAddress address;
  address.set_unix(std::move(raw), path_offset + 1 + name.size());
  return address;
}

SocketAddress SocketAddress::unix_address(std::string_view path_or_abstract) {
  if (!path_or_abstract.empty() && path_or_abstract.front() == '\0') {
    return abstract(path_or_abstract.substr(1));
  }
  return unix_path(path_or_abstract);
}

SocketAddress SocketAddress::parse(std::string_view text) {
  constexpr std::string_view unix_prefix = "unix:";
  if (text.substr(0, unix_prefix.size()) == unix_prefix) {
    const std::string_view rest = text.substr(unix_prefix.size());
    if (!rest.empty() && rest.front() == '@') return abstract(rest.substr(1));
    return unix_path(rest);
  }
  const auto colon = text.rfind(':');
  if (colon != text.npos) {
    std::string_view host = text.substr(0, colon);
    const bool bracketed = host.size() >= 2 && host.front() == '[' && host.back() == ']';
    if (bracketed) host = host.substr(1, host.size() - 2);
    // Without brackets the last colon could belong to an IPv6 literal.
    const bool plain = host.find(':') == host.npos;
    if (const auto port = parse_port(text.substr(colon + 1)); port && bracketed != plain) {
      if (auto address = parse_ip(host, *port)) return *std::move(address);
    }
  }
  throw ValueError("'" + std::string(text) + "' is not a socket address");
}

SocketAddress SocketAddress::from_raw(const sockaddr* raw, socklen_t length) {
  SocketAddress address;
  if (raw == nullptr || length < sizeof(sa_family_t)) return address;
  if (raw->sa_family == AF_UNIX) {
    // sun_path need not be terminated when it is full, and an unnamed socket has none.
    const std::size_t size = std::min<std::size_t>(length, sizeof(sockaddr_un));
    std::shared_ptr<sockaddr_un> name;
    if (size > path_offset) {
      name = std::make_shared<sockaddr_un>();
      std::memcpy(name.get(), raw, size);
    }
    address.set_unix(std::move(name), size);
  } else if (raw->sa_family == AF_INET && length >= sizeof(sockaddr_in)) {
    std::memcpy(&address.v4_, raw, sizeof(sockaddr_in));
  } else if (raw->sa_family == AF_INET6 && length >= sizeof(sockaddr_in6)) {
    std::memcpy(&address.v6_, raw, sizeof(sockaddr_in6));
  } else {
    address.any_.sa_family = raw->sa_family;
  }
  return address;
}

std::string SocketAddress::host() const {
  char text[INET6_ADDRSTRLEN] = "";
  if (family() == AF_INET) {
    inet_ntop(AF_INET, &v4_.sin_addr, text, sizeof text);
    return text;
  }
  if (family() != AF_INET6) return {};
  inet_ntop(AF_INET6, &v6_.sin6_addr, text, sizeof text);
  std::string host = text;
  if (v6_.sin6_scope_id != 0) {
    char name[IF_NAMESIZE];
    host += '%';
    // An interface that has gone is named by its number.
    host += if_indextoname(v6_.sin6_scope_id, name) != nullptr ? std::string(name)
                                                               : std::to_string(v6_.sin6_scope_id);
  }
  return host;
}

std::uint16_t SocketAddress::port() const noexcept {
  if (family() == AF_INET) return ntohs(v4_.sin_port);
  if (family() == AF_INET6) return ntohs(v6_.sin6_port);
  return 0;
}

SocketAddress SocketAddress::with_port(std::uint16_t port) const {
  SocketAddress copy = *this;
  if (family() == AF_INET) copy.v4_.sin_port = htons(port);
  if (family() == AF_INET6) copy.v6_.sin6_port = htons(port);
  return copy;
}

std::uint32_t SocketAddress::scope_id() const noexcept {
  return family() == AF_INET6 ? v6_.sin6_scope_id : 0;
}

std::uint32_t SocketAddress::flowinfo() const noexcept {
  return family() == AF_INET6 ? ntohl(v6_.sin6_flowinfo) : 0;
}

std::string_view SocketAddress::unix_bytes() const noexcept {
  if (!is_unix() || !unix_.name) return {};
  return {unix_.name->sun_path, unix_.length - path_offset};
}

bool SocketAddress::is_abstract() const noexcept {
  const std::string_view bytes = unix_bytes();
  return !bytes.empty() && bytes.front() == '\0';
}

std::string SocketAddress::path() const {
  const std::string_view bytes = unix_bytes();
  if (is_abstract()) return std::string(bytes.substr(1));
  return std::string(bytes.substr(0, bytes.find('\0')));
}

bool SocketAddress::is_loopback() const noexcept {
  if (family() == AF_INET) return (ntohl(v4_.sin_addr.s_addr) >> 24) == 127;
  return family() == AF_INET6 && IN6_IS_ADDR_LOOPBACK(&v6_.sin6_addr);
}

const sockaddr* SocketAddress::raw() const noexcept {
  if (is_unix() && unix_.name) return reinterpret_cast<const sockaddr*>(unix_.name.get());
  return &any_;
}

std::string SocketAddress::to_string() const {
  switch (family()) {
    case AF_INET: return host() + ':' + std::to_string(port());
    case AF_INET6: return '[' + host() + "]:" + std::to_string(port());
    case AF_UNIX: return (is_abstract() ? "unix:@" : "unix:") + path();
    case AF_UNSPEC: return "unspecified";
    default: return "address family " + std::to_string(family());
  }
}

bool operator==(const SocketAddress& a, const SocketAddress& b) noexcept {
  const socklen_t length = a.raw_length();
  return length == b.raw_length() && a.family() == b.family() &&
         std::memcmp(a.raw(), b.raw(), length) == 0;
}

bool is_ip_literal(std::string_view host) { return SocketAddress::parse_ip(host, 0).has_value(); }

}  // namespace brio::net
