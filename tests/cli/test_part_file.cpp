#include "get/files.hpp"
#include "get/part_file.hpp"

#include <doctest/doctest.h>

#include <cerrno>
#include <cstdlib>
#include <string>

#include <sys/stat.h>
#include <unistd.h>

using brio::cli::loses_data;
using brio::cli::PartFile;
using brio::cli::path_exists;

namespace {

constexpr uid_t nobody = 65534;

// Root may read every folder. Without the right to become somebody else, this does nothing.
class AsNobody {
public:
  AsNobody() : was_(::geteuid()) {
    if (was_ == 0 && ::seteuid(nobody) != 0) MESSAGE("cannot become another user");
  }
  AsNobody(const AsNobody&) = delete;
  AsNobody& operator=(const AsNobody&) = delete;
  ~AsNobody() {
    if (::geteuid() != was_) CHECK(::seteuid(was_) == 0);
  }

private:
  uid_t was_;
};

}  // namespace

TEST_CASE("a folder that may be written and not read takes files") {
  std::string folder = "/tmp/brio-part-XXXXXX";
  REQUIRE(::mkdtemp(folder.data()) != nullptr);
  {
    if (::geteuid() == 0) REQUIRE(::chown(folder.c_str(), nobody, nobody) == 0);
    const AsNobody guard;
    if (::geteuid() == 0) {
      MESSAGE("SKIPPED: root may read every folder");
    } else {
      REQUIRE(::chmod(folder.c_str(), 0300) == 0);
      const auto part = PartFile::open(folder, "http://h/f", false);
      part->restart({.url = "http://h/f", .validator = "\"v\"", .total = 4, .name = "f"});
      part->append("data");
      bool saved = false;
      CHECK_NOTHROW(saved = part->commit("f"));
      CHECK(saved);
      CHECK(path_exists(folder + "/f"));
    }
  }
  ::unlink((folder + "/f").c_str());
  CHECK(::rmdir(folder.c_str()) == 0);
}

TEST_CASE("which errors of a folder's fsync are a saved file's failure") {
  for (const int error : {EIO, ENOSPC, EDQUOT}) CHECK(loses_data(error));
  for (const int error : {EACCES, EPERM, EINVAL, EROFS, ENOTSUP, EMFILE}) {
    CHECK_FALSE(loses_data(error));
  }
}
