#include <brio/net/addrinfo.hpp>

#include <cerrno>
#include <cstring>
#include <memory>
#include <netdb.h>

namespace brio {

namespace net {

namespace {
class GaiCategory : public std::error_category {
public:
  [[nodiscard]] const char* name() const noexcept override { return "getaddrinfo"; }
  [[nodiscard]] std::string message(int code) const override { return gai_strerror(code); }
};

void refuse_zero_byte(const std::string& text) {
  if (text.find('\0') != text.npos) throw ValueError("a host or service name holds a zero byte");
}

[[noreturn]] void throw_gai(int code, int system_error, const std::string& operation) {
  if (code == EAI_SYSTEM) throw_oserror(system_error, operation);
  throw gaierror(code, operation);
}
}  // namespace

const std::error_category& gai_category() noexcept {
  static const GaiCategory category;
  return category;
}

std::vector<AddrInfo> blocking_getaddrinfo(const std::optional<std::string>& host,
                                           const std::string& service, const AddrInfoHints& hints) {
  if (host) refuse_zero_byte(*host);
  refuse_zero_byte(service);
  addrinfo wanted{};
  wanted.ai_family = hints.family;
  wanted.ai_socktype = hints.type;
  wanted.ai_protocol = hints.proto;
  wanted.ai_flags = hints.flags;
  addrinfo* list = nullptr;
  const int code = ::getaddrinfo(host ? host->c_str() : nullptr,
                                 service.empty() ? nullptr : service.c_str(), &wanted, &list);
  if (code != 0) {
    const int system_error = errno;
    throw_gai(code, system_error,
              host ? "getaddrinfo for '" + *host + "'" : "getaddrinfo for port " + service);
  }
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> owner(list, &::freeaddrinfo);
  std::vector<AddrInfo> answers;
  for (const addrinfo* entry = list; entry != nullptr; entry = entry->ai_next) {
    answers.push_back({entry->ai_family, entry->ai_socktype, entry->ai_protocol,
                       entry->ai_canonname != nullptr ? entry->ai_canonname : "",
                       SocketAddress::from_raw(entry->ai_addr, entry->ai_addrlen)});
  }
  return answers;
}

std::optional<AddrInfo> literal_addrinfo(std::string_view host, std::uint16_t port,
                                         const AddrInfoHints& hints) {
  auto address = SocketAddress::parse_ip(host, port);
  if (!address) return std::nullopt;
  if (hints.family != AF_UNSPEC && hints.family != address->family()) return std::nullopt;
  int proto = hints.proto;
  if (proto == 0 && hints.type == SOCK_STREAM) proto = IPPROTO_TCP;
  if (proto == 0 && hints.type == SOCK_DGRAM) proto = IPPROTO_UDP;
  const int family = address->family();
  return AddrInfo{family, hints.type, proto, {}, *std::move(address)};
}

std::pair<std::string, std::string> blocking_getnameinfo(const SocketAddress& address, int flags) {
  char host[NI_MAXHOST] = "";
  char service[NI_MAXSERV] = "";
  const int code = ::getnameinfo(address.raw(), address.raw_length(), host, sizeof host, service,
                                 sizeof service, flags);
  if (code != 0) throw_gai(code, errno, "getnameinfo for " + address.to_string());
  return {host, service};
}

}  // namespace net

gaierror::gaierror(int eai_code, const std::string& operation)
    : OSError(std::error_code(eai_code, net::gai_category()),
              operation + " failed: " + net::gai_category().message(eai_code)) {}
gaierror::~gaierror() = default;

}  // namespace brio
