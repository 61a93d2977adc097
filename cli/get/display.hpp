// Shows what goes on: a live block on a terminal, lines elsewhere, JSON for programs.
#pragma once

#include "get/progress.hpp"
#include "get/report.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <list>
#include <memory>
#include <string>

namespace brio::cli {

/// A download under way, as the display sees it; the download keeps it up to date.
struct Transfer {
  std::string name;
  std::uint64_t done = 0;
  std::optional<std::uint64_t> total = {};
  std::string note = {};
  RateMeter meter{};
};

/// What is to be shown and where.
struct DisplayOptions {
  bool quiet = false;
  bool json = false;
};

/// Text goes to standard error, JSON to standard output.
class Display {
public:
  Display(DisplayOptions options, std::size_t files);
  Display(const Display&) = delete;
  Display& operator=(const Display&) = delete;
  /// Takes the live block away.
  ~Display();

  /// Whether tick() has anything to draw.
  bool is_live() const noexcept { return live_; }
  /// Begins to show a download until finished().
  std::shared_ptr<Transfer> started(std::string name);
  /// Bytes came, over all downloads.
  void received(std::uint64_t bytes) noexcept { received_ += bytes; }
  /// A download has ended.
  void finished(const std::shared_ptr<Transfer>& transfer, const GetResult& result);
  /// Something worth a line.
  void say(const std::string& text);
  /// Draws the block anew.
  void tick();
  /// Takes the block away and says what came of it all.
  void summary(bool interrupted);

  std::size_t failed() const noexcept { return failed_; }
  /// Whether lines of JSON could not be written; that was said, and the downloads went on.
  bool report_failed() const noexcept { return report_failed_; }

private:
  using Clock = RateMeter::Clock;

  TotalProgress total() const;
  void write_line(const std::string& text);
  void draw();

  DisplayOptions options_;
  bool live_;
  std::size_t files_;
  std::size_t done_ = 0;
  std::size_t failed_ = 0;
  bool report_failed_ = false;
  std::uint64_t received_ = 0;
  std::uint64_t saved_ = 0;  // sizes of the files that are done
  Clock::time_point start_ = Clock::now();
  RateMeter meter_{};
  std::list<std::shared_ptr<Transfer>> transfers_;
  TerminalBlock block_;
};

}  // namespace brio::cli
