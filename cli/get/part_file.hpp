// A file on its way: written under a temporary name, kept for a later try where that can go on from
// it, renamed when it is whole. Everything here blocks; downloads call it in threads.
#pragma once

#include "get/checksums.hpp"
#include "get/resume.hpp"

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

namespace brio::cli {

/// The part of one URL in one folder. Safe to call from several threads, one call at a time.
///
/// Its files are ".brio-<sum of the URL>.part" and ".meta", so that the same URL finds its part
/// again whatever name the file will get. The part is locked: a second process that wants the same
/// URL in the same folder is refused.
class PartFile {
public:
  /// Opens or makes the part of `url`, which is written down beside it; with a usable state beside
  /// it, what is there counts. `with_sum` keeps the SHA-256 sum along. Throws OSError, also where
  /// another process has it.
  static std::shared_ptr<PartFile> open(const std::string& directory, const std::string& url,
                                        bool with_sum);
  PartFile(const PartFile&) = delete;
  PartFile& operator=(const PartFile&) = delete;
  ~PartFile();

  /// Bytes written.
  std::uint64_t size() const;
  /// What is known of them.
  PartialState state() const;

  /// Empties the part, for the file that `state` tells of. Reserves the room for its whole length
  /// where that is told, so that a disk that is too small is found out at once. Throws OSError.
  void restart(const PartialState& state);
  /// Writes behind what is there. Throws OSError; size() then tells how much is good.
  void append(std::string_view data);
  /// The SHA-256 sum of all, in hex.
  std::string sum();
  /// Makes it durable and gives it its name in the folder; false where that name is taken, and then
  /// nothing has changed. Throws OSError.
  bool commit(const std::string& name);
  /// Keeps it for a later try if that could go on from it, and removes it otherwise. True if kept.
  bool keep_or_discard() noexcept;
  /// Removes it.
  void discard() noexcept;

private:
  PartFile(std::string directory, std::string stem, bool with_sum);
  void open_locked();
  void load(const std::string& url);
  void hash_existing();
  void write_state();
  void remove_files() noexcept;

  mutable std::mutex mutex_;
  std::string directory_;
  std::string part_path_;
  std::string meta_path_;
  int fd_ = -1;
  std::uint64_t size_ = 0;
  PartialState state_;
  bool with_sum_;
  Sha256 sum_;
  bool sum_valid_ = true;
};

/// The SHA-256 sum of a file, or nothing where there is none or it cannot be read.
std::optional<std::string> file_sum(const std::string& path);
/// Whether a name is taken, by whatever.
bool path_exists(const std::string& path) noexcept;
/// Makes a folder and those above it. Throws OSError.
void make_directories(const std::string& path);
/// A whole file, "-" for standard input. Throws OSError, std::runtime_error over `limit` bytes.
std::string read_whole_file(const std::string& path, std::size_t limit);

}  // namespace brio::cli
