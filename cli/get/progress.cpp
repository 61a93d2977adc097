#include "get/progress.hpp"

#include "get/naming.hpp"
#include "get/utf8.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>

namespace brio::cli {
namespace {

std::string fixed(double value, int decimals) {
  std::array<char, 64> buffer{};
  std::snprintf(buffer.data(), buffer.size(), "%.*f", decimals, value);
  return buffer.data();
}

std::string size_text(double bytes) {
  static constexpr std::array<const char*, 6> units{"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
  if (bytes < 1000) return fixed(bytes, 0) + " B";
  std::size_t unit = 0;
  bytes /= 1024;
  // 999.5 and more would be printed with four digits.
  while (bytes >= 999.5 && unit + 1 < units.size()) {
    bytes /= 1024;
    ++unit;
  }
  return fixed(bytes, bytes < 9.95 ? 1 : 0) + " " + units[unit];
}

// Columns that a file's name gets at least where there is a bar beside it.
constexpr int shortest_name = 14;

std::string bar(double share, int width) {
  const int inner = width - 2;
  const int full = static_cast<int>(std::lround(std::clamp(share, 0.0, 1.0) * inner));
  return "[" + std::string(static_cast<std::size_t>(full), '#') +
         std::string(static_cast<std::size_t>(inner - full), '.') + "]";
}

}  // namespace

std::string format_bytes(std::uint64_t bytes) { return size_text(static_cast<double>(bytes)); }

std::string format_rate(double bytes_per_second) {
  return size_text(std::isfinite(bytes_per_second) ? std::max(bytes_per_second, 0.0) : 0.0) + "/s";
}

std::string format_duration(std::optional<std::chrono::seconds> duration) {
  if (!duration) return "-:--";
  const auto seconds = std::max<std::chrono::seconds::rep>(0, duration->count());
  const auto days = seconds / 86'400;
  const auto hours = seconds / 3'600 % 24;
  if (days > 999) return "-:--";
  if (days > 0) return std::to_string(days) + "d " + std::to_string(hours) + "h";
  std::array<char, 64> buffer{};
  const auto minutes = static_cast<int>(seconds / 60 % 60);
  const auto rest = static_cast<int>(seconds % 60);
  if (hours > 0) {
    std::snprintf(buffer.data(), buffer.size(), "%d:%02d:%02d", static_cast<int>(hours), minutes,
                  rest);
  } else {
    std::snprintf(buffer.data(), buffer.size(), "%d:%02d", minutes, rest);
  }
  return buffer.data();
}

void RateMeter::start(Clock::time_point now, std::uint64_t total) {
  last_ = now;
  total_ = total;
  mean_ = 0;
  weight_ = 0;
}

void RateMeter::sample(Clock::time_point now, std::uint64_t total) {
  if (total < total_) return start(now, total);
  const std::chrono::duration<double> passed = now - last_;
  if (passed.count() <= 0) return;
  const double keep = std::exp(-passed / span_);
  const double rate_now = static_cast<double>(total - total_) / passed.count();
  mean_ = keep * mean_ + (1 - keep) * rate_now;
  weight_ = keep * weight_ + (1 - keep);
  last_ = now;
  total_ = total;
}

std::optional<std::chrono::seconds> estimate(std::uint64_t done, std::optional<std::uint64_t> total,
                                             double rate) {
  if (!total) return std::nullopt;
  if (done >= *total) return std::chrono::seconds(0);
  if (rate < 1) return std::nullopt;
  const double seconds = std::ceil(static_cast<double>(*total - done) / rate);
  if (seconds > 1e9) return std::nullopt;
  return std::chrono::seconds(static_cast<std::int64_t>(seconds));
}

std::string render_file(const FileProgress& file, int width) {
  const std::string name = printable(file.name);
  if (!file.note.empty()) {
    const std::string note = ellipsised(printable(file.note), std::max(width / 2, 1));
    const int room = std::max(width - display_width(note) - 2, 0);
    return room < 4 ? ellipsised(name, width) : padded(ellipsised(name, room), room) + "  " + note;
  }
  const bool measured = file.total && *file.total > 0;
  const double share =
      measured ? static_cast<double>(file.done) / static_cast<double>(*file.total) : 0;
  std::string percent;
  if (measured) {
    percent = padded("", file.done >= *file.total ? 0
                         : share < 0.1            ? 2
                                                  : 1) +
              std::to_string(static_cast<int>(std::clamp(share, 0.0, 1.0) * 100)) + "%";
  }
  const std::string size =
      format_bytes(file.done) + (measured ? "/" + format_bytes(*file.total) : "");
  const std::string left = "eta " + format_duration(estimate(file.done, file.total, file.rate));
  // The fixed columns, most important first; the name takes what is left, at least 12 columns.
  std::string tail;
  int room = width;
  const auto take = [&](const std::string& text, int columns) {
    if (text.empty() || room - columns - 2 < 12) return;
    tail += "  " + padded(text, columns);
    room -= columns + 2;
  };
  take(percent, 4);
  take(size, 19);
  take(format_rate(file.rate), 11);
  take(left, 11);
  std::string drawn;
  if (measured && room >= shortest_name + 2 + 8) {
    const int columns = std::min(20, room - shortest_name - 2);
    drawn = "  " + bar(share, columns);
    room -= columns + 2;
  }
  std::string line = padded(ellipsised(name, room), room) + drawn + tail;
  line.erase(line.find_last_not_of(' ') + 1);
  return line;
}

std::string render_total(const TotalProgress& total, int width) {
  std::string line = std::to_string(total.files_done) + "/" + std::to_string(total.files) +
                     (total.files == 1 ? " file" : " files");
  if (total.files_failed > 0) line += ", " + std::to_string(total.files_failed) + " failed";
  const auto take = [&](const std::string& text) {
    if (display_width(line) + 2 + display_width(text) <= width) line += "  " + text;
  };
  take(format_bytes(total.bytes));
  take(format_rate(total.rate));
  take("eta " + format_duration(estimate(total.bytes, total.bytes_total, total.rate)));
  take(format_duration(std::chrono::duration_cast<std::chrono::seconds>(total.elapsed)) +
       " elapsed");
  return ellipsised(line, width);
}

std::vector<std::string> render(const std::vector<FileProgress>& files, const TotalProgress& total,
                                int width, int height) {
  std::vector<std::string> lines;
  const std::size_t room = height > 1 ? static_cast<std::size_t>(height - 1) : 0;
  const std::size_t shown = files.size() <= room ? files.size() : room > 0 ? room - 1 : 0;
  for (std::size_t i = 0; i < shown; ++i) lines.push_back(render_file(files[i], width));
  if (shown < files.size() && room > 0) {
    lines.push_back(ellipsised("… and " + std::to_string(files.size() - shown) + " more", width));
  }
  lines.push_back(render_total(total, width));
  return lines;
}

std::string TerminalBlock::erase() const {
  std::string out;
  if (lines_.empty()) return out;
  out = "\r\x1b[2K";
  for (std::size_t i = 1; i < lines_.size(); ++i) out += "\x1b[1A\x1b[2K";
  return out;
}

std::string TerminalBlock::update(const std::vector<std::string>& lines) {
  std::string out = erase();
  lines_ = lines;
  for (std::size_t i = 0; i < lines_.size(); ++i) out += (i > 0 ? "\n" : "") + lines_[i];
  return out;
}

std::string TerminalBlock::clear() {
  std::string out = erase();
  lines_.clear();
  return out;
}

}  // namespace brio::cli
