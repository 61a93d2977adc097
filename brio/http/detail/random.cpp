#include <brio/http/detail/random.hpp>

#include <brio/core/exceptions.hpp>

#include <cerrno>
#include <cstring>

#include <sys/random.h>

namespace brio::http::detail {

std::string random_bytes(std::size_t count) {
  std::string bytes(count, '\0');
  std::size_t got = 0;
  while (got < count) {
    const ssize_t more = ::getrandom(bytes.data() + got, count - got, 0);
    if (more > 0) {
      got += static_cast<std::size_t>(more);
    } else if (errno != EINTR) {
      throw_oserror(errno, "getrandom");
    }
  }
  return bytes;
}

std::array<char, 4> MaskSource::next() {
  std::array<char, 4> key;
  if (pool_.size() < key.size()) pool_ = random_bytes(64);
  std::memcpy(key.data(), pool_.data() + pool_.size() - key.size(), key.size());
  pool_.resize(pool_.size() - key.size());
  return key;
}

}  // namespace brio::http::detail
