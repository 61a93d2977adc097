// A file on its way: written under a temporary name, kept for a later try where that can go on from
// it, renamed when it is whole. Everything here blocks; downloads call it in threads.
#pragma once

#include "get/checksums.hpp"
#include "get/resume.hpp"

#include <cstdint>
#include <memory>
#include <mutex>
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

  /// Empties the part, for the file that `state` tells of. Where its length is told and the disk
  /// has less free, or no file there may be that long, that is found out at once; nothing is
  /// reserved, for the server may lie. Throws OSError.
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
  void check_room(std::uint64_t announced) const;
  void write_state();
  void remove_files() noexcept;

  mutable std::mutex mutex_;
  std::string directory_;
  std::string part_path_;
  std::string meta_path_;
  int fd_ = -1;
  std::uint64_t size_ = 0;
  PartialState state_;
  bool state_saved_ = false;  // beside the part: without it a later run cannot go on
  bool with_sum_;
  Sha256 sum_;
  bool sum_valid_ = true;
};

}  // namespace brio::cli
