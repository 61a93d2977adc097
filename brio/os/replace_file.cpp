#include <brio/os/blocking_file.hpp>

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

namespace brio::os::detail {

namespace {

// The new content under a name of its own; goes unless it is renamed.
class TemporaryFile {
public:
  TemporaryFile(const std::string& folder, const std::string& base, unsigned permissions,
                const std::string& path) {
    static std::atomic<unsigned> counter{0};
    const std::string stem = folder + "." + base + "." + std::to_string(::getpid()) + ".";
    int fd = -1;
    do {
      name_ = stem + std::to_string(counter++) + ".tmp";
      fd = ::open(name_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, permissions);
    } while (fd < 0 && (errno == EEXIST || errno == EINTR));
    if (fd < 0) throw_oserror(errno, about("create a file beside", path));
    descriptor_ = Descriptor::adopt(fd);
  }
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;
  ~TemporaryFile() {
    if (!name_.empty()) ::unlink(name_.c_str());
  }

  [[nodiscard]] Descriptor take_descriptor() noexcept { return std::move(descriptor_); }
  void rename(const std::string& path) {
    if (::rename(name_.c_str(), path.c_str()) != 0) throw_oserror(errno, about("rename to", path));
    name_.clear();
  }

private:
  std::string name_;
  Descriptor descriptor_;
};

// The new name is on the disk when its folder is.
void sync_folder(const std::string& folder) {
  const int fd = ::open(folder.empty() ? "." : folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return;  // a folder may be written to and not read; nothing more can be done then
  const Descriptor descriptor = Descriptor::adopt(fd);
  // EINVAL: the file system has no such thing.
  if (::fsync(fd) != 0 && errno != EINVAL) throw_oserror(errno, about("fsync", folder));
}

}  // namespace

void replace_file(const std::string& path, std::string data, unsigned permissions) {
  struct stat old{};
  const bool exists = ::stat(path.c_str(), &old) == 0;
  if (exists && !S_ISREG(old.st_mode)) {
    // A rename would put a file in the place of a device.
    throw_oserror(S_ISDIR(old.st_mode) ? EISDIR : EINVAL, about("replace", path));
  }
  const std::size_t slash = path.rfind('/');
  const std::string folder = slash == path.npos ? "" : path.substr(0, slash + 1);
  TemporaryFile temporary(folder, path.substr(folder.size()), permissions, path);
  // The least buffer: what could not be written is not tried once more by the destructor.
  BlockingFile file(temporary.take_descriptor(), FileMode::parse("w"), path, {.buffer_size = 1});
  if (exists && ::fchmod(file.fileno(), old.st_mode & 07777) != 0)
    throw_oserror(errno, about("chmod", path));
  file.write(std::move(data));
  file.sync(Sync::all);
  file.close();
  temporary.rename(path);
  sync_folder(folder);
}

}  // namespace brio::os::detail
