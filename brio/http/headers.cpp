#include <brio/http/headers.hpp>

#include <algorithm>
#include <array>

namespace brio::http {
namespace {

constexpr char lower(char c) noexcept {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

constexpr std::array<bool, 256> make_token_table() {
  std::array<bool, 256> table{};
  for (char c = '0'; c <= '9'; ++c) table[static_cast<unsigned char>(c)] = true;
  for (char c = 'a'; c <= 'z'; ++c) table[static_cast<unsigned char>(c)] = true;
  for (char c = 'A'; c <= 'Z'; ++c) table[static_cast<unsigned char>(c)] = true;
  for (const char c : std::string_view("!#$%&'*+-.^_`|~")) {
    table[static_cast<unsigned char>(c)] = true;
  }
  return table;
}
constexpr std::array<bool, 256> token_table = make_token_table();

Header checked(std::string_view name, std::string_view value) {
  if (!is_token(name)) throw ValueError("invalid header name '" + std::string(name) + "'");
  if (!is_field_value(value)) {
    throw ValueError("invalid character in the value of header '" + std::string(name) + "'");
  }
  return {std::string(name), std::string(trimmed(value))};
}

}  // namespace

std::string_view trimmed(std::string_view text) noexcept {
  const std::size_t first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

bool iequals(std::string_view a, std::string_view b) noexcept {
  return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin(),
                                            [](char x, char y) { return lower(x) == lower(y); });
}

bool is_token(std::string_view text) noexcept {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return token_table[static_cast<unsigned char>(c)];
  });
}

bool is_field_value(std::string_view text) noexcept {
  return std::all_of(text.begin(), text.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return (byte >= 0x20 && byte != 0x7f) || c == '\t';
  });
}

Headers::Headers(std::initializer_list<Header> fields) {
  fields_.reserve(fields.size());
  for (const Header& field : fields) add(field.name, field.value);
}

void Headers::add(std::string_view name, std::string_view value) {
  fields_.push_back(checked(name, value));
}

void Headers::set(std::string_view name, std::string_view value) {
  Header field = checked(name, value);
  const auto same = [&field](const Header& other) { return iequals(other.name, field.name); };
  const auto first = std::find_if(fields_.begin(), fields_.end(), same);
  if (first == fields_.end()) {
    fields_.push_back(std::move(field));
    return;
  }
  fields_.erase(std::remove_if(first + 1, fields_.end(), same), fields_.end());
  *first = std::move(field);
}

std::string_view Headers::setdefault(std::string_view name, std::string_view value) {
  if (const auto found = get(name)) return *found;
  add(name, value);
  return fields_.back().value;
}

void Headers::extend(const Headers& other) {
  // By index: `other` may be this one.
  const std::size_t count = other.fields_.size();
  fields_.reserve(fields_.size() + count);
  for (std::size_t i = 0; i < count; ++i) fields_.emplace_back(other.fields_[i]);
}

void Headers::update(const Headers& other) {
  if (&other == this) return;
  for (const Header& field : other.fields_) remove(field.name);
  extend(other);
}

std::size_t Headers::remove(std::string_view name) {
  // The name may lie in a field that is about to move.
  const std::string wanted(name);
  return std::erase_if(fields_, [&](const Header& field) { return iequals(field.name, wanted); });
}

std::optional<std::string_view> Headers::get(std::string_view name) const {
  for (const Header& field : fields_) {
    if (iequals(field.name, name)) return field.value;
  }
  return std::nullopt;
}

std::string_view Headers::get(std::string_view name, std::string_view otherwise) const {
  const auto found = get(name);
  return found ? *found : otherwise;
}

std::string_view Headers::at(std::string_view name) const {
  if (const auto found = get(name)) return *found;
  throw KeyError(std::string(name));
}

std::vector<std::string_view> Headers::getall(std::string_view name) const {
  std::vector<std::string_view> values;
  for (const Header& field : fields_) {
    if (iequals(field.name, name)) values.emplace_back(field.value);
  }
  return values;
}

bool Headers::contains(std::string_view name) const { return get(name).has_value(); }

bool Headers::has_token(std::string_view name, std::string_view token) const {
  for (std::string_view rest : getall(name)) {
    while (true) {
      const std::size_t comma = rest.find(',');
      if (iequals(trimmed(rest.substr(0, comma)), token)) return true;
      if (comma == std::string_view::npos) break;
      rest.remove_prefix(comma + 1);
    }
  }
  return false;
}

}  // namespace brio::http
