// What the progress display shows: numbers in, text out. Nothing here knows a clock or a terminal.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace brio::cli {

/// "999 B", "1.2 KiB", "34 MiB".
std::string format_bytes(std::uint64_t bytes);
/// "1.2 MiB/s".
std::string format_rate(double bytes_per_second);
/// "0:05", "1:02:03", "5d 3h"; "-:--" where it is not known.
std::string format_duration(std::optional<std::chrono::seconds> duration);

/// A smoothed rate: an exponential mean over some seconds, without the slow start of a plain one.
class RateMeter {
public:
  using Clock = std::chrono::steady_clock;

  explicit RateMeter(std::chrono::duration<double> span = std::chrono::seconds(3)) : span_(span) {}
  /// Begins at this time and count.
  void start(Clock::time_point now, std::uint64_t total);
  /// Tells that `total` bytes have come by `now`. Less than before starts again from there.
  void sample(Clock::time_point now, std::uint64_t total);
  /// Bytes a second; 0 before the second sample.
  double rate() const noexcept { return weight_ > 0 ? mean_ / weight_ : 0; }

private:
  std::chrono::duration<double> span_;
  Clock::time_point last_{};
  std::uint64_t total_ = 0;
  double mean_ = 0;
  double weight_ = 0;
};

/// How long the rest takes at a rate; nothing where that cannot be told.
std::optional<std::chrono::seconds> estimate(std::uint64_t done, std::optional<std::uint64_t> total,
                                             double rate);

/// One file under way.
struct FileProgress {
  std::string name;
  std::uint64_t done = 0;
  std::optional<std::uint64_t> total = {};
  double rate = 0;
  /// "connecting", "verifying", "retry in 2 s (…)"; "" while bytes flow.
  std::string note = {};
};

/// Everything together.
struct TotalProgress {
  std::size_t files = 0;
  std::size_t files_done = 0;
  std::size_t files_failed = 0;
  std::uint64_t bytes = 0;
  /// Known or guessed from the files so far.
  std::optional<std::uint64_t> bytes_total = {};
  double rate = 0;
  std::chrono::duration<double> elapsed{};
};

/// One line for a file, at most `width` columns: name, bar, percentage, size, rate, time left; what
/// does not fit is left out from the least important on.
std::string render_file(const FileProgress& file, int width);
/// One line for all.
std::string render_total(const TotalProgress& total, int width);
/// The whole display in at most `height` lines: files, "… and 5 more", the total.
std::vector<std::string> render(const std::vector<FileProgress>& files, const TotalProgress& total,
                                int width, int height);

/// Keeps a block of lines at the bottom of a terminal and says what to write for each change.
class TerminalBlock {
public:
  /// Replaces the block.
  std::string update(const std::vector<std::string>& lines);
  /// Takes the block away.
  std::string clear();

private:
  std::string erase() const;
  std::vector<std::string> lines_;
};

}  // namespace brio::cli
