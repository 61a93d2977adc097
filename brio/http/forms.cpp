#include <brio/http/forms.hpp>

#include <brio/http/url.hpp>

#include <algorithm>

namespace brio::http {

Pairs parse_form(std::string_view text) {
  const auto decode = [](std::string_view part) {
    std::string spaced(part);
    std::replace(spaced.begin(), spaced.end(), '+', ' ');
    return percent_decode(spaced);
  };
  Pairs pairs;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('&'), text.size());
    const std::string_view pair = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (pair.empty()) continue;
    const std::size_t equals = std::min(pair.find('='), pair.size());
    pairs.emplace_back(decode(pair.substr(0, equals)),
                       decode(pair.substr(std::min(equals + 1, pair.size()))));
  }
  return pairs;
}

std::string encode_form(const Pairs& pairs) {
  std::string text;
  for (const auto& [name, value] : pairs) {
    if (!text.empty()) text += '&';
    text += percent_encode(name) + '=' + percent_encode(value);
  }
  return text;
}

}  // namespace brio::http
