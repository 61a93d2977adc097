#include "get/display.hpp"

#include "get/naming.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <system_error>
#include <vector>

#include <sys/ioctl.h>
#include <unistd.h>

namespace brio::cli {
namespace {

// False where not all could be written; errno says why.
bool write_to(std::FILE* file, const std::string& text) {
  return std::fwrite(text.data(), 1, text.size(), file) == text.size() && std::fflush(file) == 0;
}

// For what is said on the way: where standard error is gone, nobody can be told.
void say_to_stderr(const std::string& text) { static_cast<void>(write_to(stderr, text)); }

bool is_terminal() {
  const char* term = std::getenv("TERM");
  return ::isatty(STDERR_FILENO) == 1 && term != nullptr && std::string_view(term) != "dumb";
}

}  // namespace

Display::Display(DisplayOptions options, std::size_t files)
    : options_(options), live_(!options.quiet && is_terminal()), files_(files) {
  meter_.start(start_, 0);
}

Display::~Display() { say_to_stderr(block_.clear()); }

std::shared_ptr<Transfer> Display::started(std::string name) {
  auto transfer = std::make_shared<Transfer>();
  transfer->name = std::move(name);
  transfer->meter.start(Clock::now(), 0);
  transfers_.push_back(transfer);
  return transfer;
}

void Display::finished(const std::shared_ptr<Transfer>& transfer, const GetResult& result) {
  transfers_.remove(transfer);
  if (result.ok) {
    ++done_;
    saved_ += result.bytes;
  } else {
    ++failed_;
  }
  // After the first failure no more: a reader would get the middle of a line.
  if (options_.json && !report_failed_ && !write_to(stdout, json_line(result) + "\n")) {
    report_failed_ = true;
    write_line("brio: cannot write the report: " + std::generic_category().message(errno));
  }
  // A failure is said even when nothing else is, but for programs that read it as JSON.
  if (!options_.quiet || (!result.ok && (!options_.json || report_failed_)))
    write_line(plain_line(result));
}

void Display::say(const std::string& text) {
  if (!options_.quiet) write_line(text);
}

void Display::write_line(const std::string& text) {
  say_to_stderr(block_.clear() + text + "\n");
  if (live_) draw();
}

TotalProgress Display::total() const {
  TotalProgress total{.files = files_, .files_done = done_, .files_failed = failed_};
  total.bytes = saved_;
  std::uint64_t known = saved_;
  std::size_t with_size = done_;
  for (const auto& transfer : transfers_) {
    total.bytes += transfer->done;
    if (transfer->total) {
      known += *transfer->total;
      ++with_size;
    }
  }
  // Files of which nothing is known yet are taken to be as large as the others.
  const std::size_t expected = files_ - std::min(files_, failed_);
  if (with_size > 0) total.bytes_total = known / with_size * expected + known % with_size;
  total.rate = meter_.rate();
  total.elapsed = Clock::now() - start_;
  return total;
}

void Display::tick() {
  const auto now = Clock::now();
  meter_.sample(now, received_);
  for (const auto& transfer : transfers_) transfer->meter.sample(now, transfer->done);
  if (live_) draw();
}

void Display::draw() {
  winsize size{};
  if (::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) size.ws_col = 80;
  if (size.ws_row == 0) size.ws_row = 24;
  std::vector<FileProgress> files;
  for (const auto& transfer : transfers_) {
    files.push_back({.name = transfer->name,
                     .done = transfer->done,
                     .total = transfer->total,
                     .rate = transfer->meter.rate(),
                     .note = transfer->note});
  }
  // One column and one line are left free: a full last column would wrap, a full screen scroll.
  say_to_stderr(block_.update(render(files, total(), size.ws_col - 1, size.ws_row - 1)));
}

void Display::summary(bool interrupted) {
  if (live_) say_to_stderr(block_.clear());
  live_ = false;
  if (options_.quiet) return;
  const std::chrono::duration<double> elapsed = Clock::now() - start_;
  const double seconds = std::max(elapsed.count(), 1e-6);
  std::string text = std::to_string(done_) + (done_ == 1 ? " file, " : " files, ") +
                     format_bytes(received_) + " in ";
  char number[32];
  std::snprintf(number, sizeof number, "%.2f", elapsed.count());
  text +=
      std::string(number) + " s (" + format_rate(static_cast<double>(received_) / seconds) + ")";
  if (failed_ > 0) text += ", " + std::to_string(failed_) + " failed";
  if (interrupted) text += ", interrupted";
  write_line(text);
}

}  // namespace brio::cli
