#include <brio/http/detail/listing.hpp>

#include <brio/core/exceptions.hpp>
#include <brio/http/fields.hpp>
#include <brio/http/url.hpp>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <memory>
#include <string_view>
#include <vector>

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

namespace brio::http::detail {
namespace {

struct Entry {
  std::string name;
  bool folder = false;
  std::uint64_t size = 0;
  std::int64_t changed = 0;
};

struct CloseFolder {
  void operator()(DIR* folder) const noexcept { ::closedir(folder); }
};

std::vector<Entry> entries_of(int descriptor, bool dotfiles) {
  const int copy = ::openat(descriptor, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (copy < 0) throw_oserror(errno, "open folder");
  const std::unique_ptr<DIR, CloseFolder> folder(::fdopendir(copy));
  if (!folder) throw_oserror(errno, "read folder");
  std::vector<Entry> entries;
  while (const dirent* found = ::readdir(folder.get())) {
    const std::string_view name = found->d_name;
    if (name == "." || name == ".." || (name.front() == '.' && !dotfiles)) continue;
    struct stat info{};
    // What leads nowhere, or to what is no file, is not offered.
    if (::fstatat(copy, found->d_name, &info, 0) < 0) continue;
    if (!S_ISDIR(info.st_mode) && !S_ISREG(info.st_mode)) continue;
    entries.push_back({std::string(name), S_ISDIR(info.st_mode),
                       static_cast<std::uint64_t>(info.st_size), info.st_mtim.tv_sec});
  }
  std::sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) {
    return a.folder != b.folder ? a.folder : a.name < b.name;
  });
  return entries;
}

std::string size_text(std::uint64_t size) {
  if (size < 1024) return std::to_string(size) + " B";
  double value = static_cast<double>(size);
  std::size_t unit = 0;
  constexpr std::array units{"B", "KiB", "MiB", "GiB", "TiB"};
  while (value >= 1024 && unit + 1 < units.size()) {
    value /= 1024;
    ++unit;
  }
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.1f %s", value, units[unit]);
  return text.data();
}

}  // namespace

std::string escape_html(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (const char c : text) {
    switch (c) {
      case '&': out += "&amp;"; break;
      case '<': out += "&lt;"; break;
      case '>': out += "&gt;"; break;
      case '"': out += "&quot;"; break;
      case '\'': out += "&#39;"; break;
      default: out += c;
    }
  }
  return out;
}

std::string list_folder(int folder, const std::string& title, bool dotfiles) {
  const std::string heading = "Index of " + escape_html(title);
  std::string page =
      "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
      "<meta name=\"viewport\" content=\"width=device-width\">\n<title>" +
      heading +
      "</title>\n<style>body{font:16px/1.5 system-ui,sans-serif;margin:2em auto;max-width:60em;"
      "padding:0 1em}table{border-collapse:collapse;width:100%}td,th{text-align:left;"
      "padding:.2em 1em .2em 0}td+td,th+th{white-space:nowrap}</style>\n</head>\n<body>\n<h1>" +
      heading + "</h1>\n<table>\n<tr><th>Name</th><th>Size</th><th>Last modified</th></tr>\n";
  if (title != "/") page += "<tr><td><a href=\"../\">../</a></td><td></td><td></td></tr>\n";
  for (const Entry& entry : entries_of(folder, dotfiles)) {
    const char* slash = entry.folder ? "/" : "";
    // "./" in front, for a name with a colon would be read as a URL's scheme.
    page += "<tr><td><a href=\"./" + percent_encode(entry.name) + slash + "\">" +
            escape_html(entry.name) + slash + "</a></td><td>" +
            (entry.folder ? "" : size_text(entry.size)) + "</td><td>" +
            format_http_date(std::chrono::sys_seconds(std::chrono::seconds(entry.changed))) +
            "</td></tr>\n";
  }
  return page + "</table>\n</body>\n</html>\n";
}

}  // namespace brio::http::detail
