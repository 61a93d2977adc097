// Files by their paths, as `brio get` needs them. Everything here blocks.
#pragma once

#include "get/checksums.hpp"

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace brio::cli {

/// A descriptor that is closed when it goes; standard input is left open.
class Descriptor {
public:
  explicit Descriptor(int fd) noexcept : fd_(fd) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor();
  /// The number, -1 for none.
  int get() const noexcept { return fd_; }
  /// Hands it to the caller, who closes it.
  int release() noexcept;

private:
  int fd_;
};

/// Throws the OSError of errno unless `good`. `operation` is named in it.
void check(bool good, const std::string& operation);

/// Adds what is to be read from a descriptor to a sum; false, with errno, where that fails.
bool add_to_sum(int fd, Sha256& sum);
/// The SHA-256 sum of a file, or nothing where there is none or it cannot be read. Links are
/// followed; pipes and devices are no files.
std::optional<std::string> file_sum(const std::string& path);
/// Whether a name is taken, by whatever.
bool path_exists(const std::string& path) noexcept;
/// Makes a folder and those above it. Throws OSError.
void make_directories(const std::string& path);
/// A whole file, "-" for standard input; it may be a pipe, and is waited for. For what the user
/// names. Throws OSError, std::runtime_error over `limit` bytes.
std::string read_whole_file(const std::string& path, std::size_t limit);

// Files of brio's own in folders where others may have put something else under their names: links,
// pipes and devices are neither opened for good nor written nor removed.

/// The text, or nothing where it is not a regular file, cannot be read or is over `limit` bytes.
std::optional<std::string> read_regular_file(const std::string& path, std::size_t limit);
/// Makes or overwrites it; false where something else has the name. Throws OSError.
bool write_regular_file(const std::string& path, std::string_view text);
/// Removes it if it is there and a regular file.
void remove_regular_file(const std::string& path) noexcept;

/// Whether an error of a folder's fsync puts files in it at risk. The others say only that this
/// folder cannot be opened or flushed: one that may not be read, a file system that cannot.
bool loses_data(int error_number) noexcept;
/// Makes renamings in a folder durable where that can be done. Throws OSError if loses_data.
void sync_folder(const std::string& path);

}  // namespace brio::cli
