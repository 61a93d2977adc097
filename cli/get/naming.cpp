#include "get/naming.hpp"

#include "get/utf8.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace brio::cli {
namespace {

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

// Replaces broken UTF-8 and what must not come to a screen or a file name.
std::string cleaned(std::string_view text, char replacement) {
  std::string out;
  while (!text.empty()) {
    const CodePoint point = next_code_point(text);
    if (!point.valid || is_unprintable(point.value)) {
      out += replacement;
    } else {
      out += text.substr(0, point.length);
    }
    text.remove_prefix(point.length);
  }
  return out;
}

// CON, NUL, COM1, … are devices on Windows, with any extension; a folder may be shared with one.
bool is_device_name(std::string_view name) {
  static constexpr std::array<std::string_view, 4> devices{"con", "prn", "aux", "nul"};
  const std::string stem = lower(name.substr(0, name.find('.')));
  if (std::find(devices.begin(), devices.end(), stem) != devices.end()) return true;
  return stem.size() == 4 && (stem.starts_with("com") || stem.starts_with("lpt")) &&
         stem[3] >= '1' && stem[3] <= '9';
}

// Where a name's extension begins: ".txt", and ".tar.gz" as a whole; its size where there is none.
std::size_t extension_start(std::string_view name) {
  const std::size_t dot = name.rfind('.');
  if (dot == std::string_view::npos || dot == 0 || name.size() - dot > 20) return name.size();
  const std::string_view stem = name.substr(0, dot);
  if (stem.size() > 4 && lower(stem).ends_with(".tar")) return dot - 4;
  return dot;
}

std::string shortened(const std::string& name, std::size_t limit) {
  if (name.size() <= limit) return name;
  std::string extension = name.substr(extension_start(name));
  if (extension.size() >= limit) extension.clear();
  std::string_view stem = std::string_view(name).substr(0, limit - extension.size());
  std::size_t whole = 0;
  while (whole < stem.size()) {
    const CodePoint point = next_code_point(stem.substr(whole));
    if (!point.valid) break;  // cut through the last character
    whole += point.length;
  }
  return std::string(stem.substr(0, whole)) + extension;
}

}  // namespace

std::string safe_name(std::string_view proposed, std::size_t limit) {
  if (const std::size_t slash = proposed.find_last_of("/\\"); slash != std::string_view::npos) {
    proposed.remove_prefix(slash + 1);
  }
  std::string name = cleaned(proposed, '_');
  const std::size_t first = name.find_first_not_of(" .-");
  if (first == std::string::npos) return {};
  name = name.substr(first, name.find_last_not_of(" .") - first + 1);
  if (is_device_name(name)) name.insert(0, "_");
  return shortened(name, limit);
}

std::string choose_name(const http::URL& requested, const http::URL& answered,
                        std::optional<std::string_view> content_disposition) {
  if (content_disposition) {
    if (std::string name = safe_name(*content_disposition); !name.empty()) return name;
  }
  for (const http::URL* url : {&requested, &answered}) {
    if (std::string name = safe_name(url->name()); !name.empty()) return name;
  }
  return "index.html";
}

std::string numbered_name(std::string_view name, unsigned number) {
  if (number == 0) return std::string(name);
  const std::size_t dot = extension_start(name);
  return std::string(name.substr(0, dot)) + "." + std::to_string(number) +
         std::string(name.substr(dot));
}

NameRegistry::NameRegistry(std::function<bool(const std::string&)> exists)
    : exists_(std::move(exists)) {}

std::string NameRegistry::take(std::string_view name) {
  for (unsigned& number = next_[lower(name)];;) {
    std::string candidate = numbered_name(name, number++);
    if (taken_.contains(lower(candidate)) || exists_(candidate)) continue;
    taken_.insert(lower(candidate));
    return candidate;
  }
}

void NameRegistry::release(const std::string& name) {
  taken_.erase(lower(name));
  next_.clear();  // rare, and the search is only slower without it
}

std::string printable(std::string_view text) { return cleaned(text, '?'); }

}  // namespace brio::cli
