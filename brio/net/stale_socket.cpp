#include <brio/net/stale_socket.hpp>

#include <string>
#include <sys/stat.h>
#include <unistd.h>

namespace brio::net::detail {

void remove_stale_socket(const SocketAddress& address) {
  if (address.family() != AF_UNIX || address.is_abstract()) return;
  const std::string path = address.path();
  struct stat status{};
  if (::stat(path.c_str(), &status) != 0 || !S_ISSOCK(status.st_mode)) return;
  ::unlink(path.c_str());
}

}  // namespace brio::net::detail
