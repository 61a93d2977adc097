// Socket addresses: IPv4, IPv6 with scope, Unix paths and abstract names, as plain values.
#pragma once

#include <brio/core/config.hpp>

#include <cstdint>
#include <functional>
#include <memory>
#include <netinet/in.h>
#include <optional>
#include <string>
#include <string_view>
#include <sys/socket.h>
#include <sys/un.h>

namespace brio::net {

/// The address of a socket end: what getsockname and getpeername give in Python as a tuple
/// ("host", port[, flowinfo, scope_id]) or as a path.
///
/// A value of 48 bytes: an idle connection keeps one, so the long Unix form lives apart and is
/// shared by the copies. The default-constructed address has family AF_UNSPEC.
class BRIO_API SocketAddress {
public:
  SocketAddress() noexcept;
  SocketAddress(const SocketAddress& other) noexcept { copy(other); }
  SocketAddress(SocketAddress&& other) noexcept { move(other); }
  SocketAddress& operator=(const SocketAddress& other) noexcept {
    if (this != &other) destroy(), copy(other);
    return *this;
  }
  SocketAddress& operator=(SocketAddress&& other) noexcept {
    if (this != &other) destroy(), move(other);
    return *this;
  }
  ~SocketAddress() { destroy(); }

  /// An IPv4 or IPv6 literal ("127.0.0.1", "::1", "fe80::1%eth0", "fe80::1%2") and a port.
  /// No name is ever looked up. Throws ValueError when `host` is no literal.
  [[nodiscard]] static SocketAddress ip(std::string_view host, std::uint16_t port);
  /// The same without a throw: nothing when `host` is no literal or names an unknown interface.
  [[nodiscard]] static std::optional<SocketAddress> parse_ip(std::string_view host,
                                                             std::uint16_t port);
  /// A Unix socket's path. Throws ValueError when it is empty, longer than the kernel takes
  /// (107 bytes) or holds a zero byte.
  [[nodiscard]] static SocketAddress unix_path(std::string_view path);
  /// A name in Linux's abstract socket namespace, without the leading zero byte. It may hold any
  /// bytes, at most 107. Throws ValueError when it is too long.
  [[nodiscard]] static SocketAddress abstract(std::string_view name);
  /// A Unix address in Python's spelling: a leading zero byte makes it an abstract name.
  [[nodiscard]] static SocketAddress unix_address(std::string_view path_or_abstract);
  /// What to_string wrote: "127.0.0.1:80", "[::1]:80", "unix:/run/x", "unix:@name".
  /// Throws ValueError when it is none of these.
  [[nodiscard]] static SocketAddress parse(std::string_view text);
  /// A kernel's sockaddr. An address of a family unknown here keeps its family and nothing else.
  [[nodiscard]] static SocketAddress from_raw(const sockaddr* address, socklen_t length);

  /// AF_INET, AF_INET6, AF_UNIX, or AF_UNSPEC for "no address".
  [[nodiscard]] int family() const noexcept { return any_.sa_family; }
  /// False for the default-constructed address.
  [[nodiscard]] explicit operator bool() const noexcept { return family() != AF_UNSPEC; }
  /// The host as text: "127.0.0.1", "fe80::1%eth0"; "" for other families.
  [[nodiscard]] std::string host() const;
  /// The port in host order, 0 where the family has none.
  [[nodiscard]] std::uint16_t port() const noexcept;
  /// The same address with another port; Unix addresses are returned unchanged.
  [[nodiscard]] SocketAddress with_port(std::uint16_t port) const;
  /// IPv6 scope (the interface's index) and flow label, 0 elsewhere.
  [[nodiscard]] std::uint32_t scope_id() const noexcept;
  /// The IPv6 flow label, 0 elsewhere.
  [[nodiscard]] std::uint32_t flowinfo() const noexcept;
  /// The path of a Unix address; for an abstract name the name without its zero byte; "" for an
  /// unnamed Unix socket and for other families.
  [[nodiscard]] std::string path() const;
  /// A name in the abstract namespace?
  [[nodiscard]] bool is_abstract() const noexcept;
  /// True for 127.0.0.0/8 and ::1.
  [[nodiscard]] bool is_loopback() const noexcept;

  /// For system calls; valid as long as this object.
  [[nodiscard]] const sockaddr* raw() const noexcept;
  /// How many bytes of raw() count.
  [[nodiscard]] socklen_t raw_length() const noexcept;

  /// "127.0.0.1:80", "[fe80::1%eth0]:80", "unix:/run/x", "unix:@name", "unix:" (unnamed), or
  /// "unspecified".
  [[nodiscard]] std::string to_string() const;

  friend BRIO_API bool operator==(const SocketAddress& a, const SocketAddress& b) noexcept;

private:
  // Paths are long and seldom: they are shared, and a connection's two addresses stay small.
  struct Unix {
    sa_family_t family;
    std::uint16_t length;
    std::shared_ptr<const sockaddr_un> name;  // null when it is unnamed
  };

  [[nodiscard]] bool is_unix() const noexcept { return family() == AF_UNIX; }
  [[nodiscard]] std::string_view unix_bytes() const noexcept;
  void set_unix(std::shared_ptr<const sockaddr_un> name, std::size_t length) noexcept;
  void copy(const SocketAddress& other) noexcept;
  void move(SocketAddress& other) noexcept;
  void destroy() noexcept {
    if (is_unix()) std::destroy_at(&unix_);
  }

  union {
    sockaddr any_;  // the family is at the same place in all of them
    sockaddr_in v4_;
    sockaddr_in6 v6_;
    Unix unix_;
  };
};

/// True when `host` is an IPv4 or IPv6 literal (a scope is allowed), so that it needs no look-up.
[[nodiscard]] BRIO_API bool is_ip_literal(std::string_view host);

}  // namespace brio::net

/// Equal addresses hash equally; for use as a map's key.
template <>
struct std::hash<brio::net::SocketAddress> {
  std::size_t operator()(const brio::net::SocketAddress& address) const noexcept {
    return std::hash<std::string_view>()(
        std::string_view(reinterpret_cast<const char*>(address.raw()), address.raw_length()));
  }
};
