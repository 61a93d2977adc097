#include "get/options.hpp"

#include <algorithm>

namespace brio::cli {

std::vector<std::string> parse_url_list(std::string_view text) {
  std::vector<std::string> urls;
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);  // an editor's byte order mark
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    const std::size_t first = line.find_first_not_of(" \t\r");
    if (first == std::string_view::npos || line[first] == '#') continue;
    line = line.substr(first, line.find_last_not_of(" \t\r") - first + 1);
    urls.emplace_back(line);
  }
  return urls;
}

}  // namespace brio::cli
