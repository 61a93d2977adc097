#include "json.hpp"

#include <charconv>
#include <stdexcept>

namespace conformance {

namespace {

constexpr int max_depth = 200;

class Reader {
public:
  explicit Reader(std::string_view text) : text_(text) {}

  Json document() {
    Json value = read(0);
    skip_space();
    if (at_ != text_.size()) fail("something follows the value");
    return value;
  }

private:
  [[noreturn]] void fail(const char* what) const {
    throw std::runtime_error("JSON, offset " + std::to_string(at_) + ": " + what);
  }

  void skip_space() {
    while (at_ < text_.size() &&
           (text_[at_] == ' ' || text_[at_] == '\n' || text_[at_] == '\t' || text_[at_] == '\r'))
      ++at_;
  }

  char peek() {
    skip_space();
    if (at_ == text_.size()) fail("unexpected end");
    return text_[at_];
  }

  void expect(char c) {
    if (peek() != c) fail("unexpected character");
    ++at_;
  }

  bool accept(char c) {
    if (peek() != c) return false;
    ++at_;
    return true;
  }

  bool accept_word(std::string_view word) {
    if (text_.substr(at_, word.size()) != word) return false;
    at_ += word.size();
    return true;
  }

  Json read(int depth) {
    if (depth > max_depth) fail("nested too deeply");
    switch (peek()) {
      case '{': return object(depth);
      case '[': return array(depth);
      case '"': return Json(string());
      case 'n':
        if (accept_word("null")) return Json();
        break;
      case 't':
        if (accept_word("true")) return Json(true);
        break;
      case 'f':
        if (accept_word("false")) return Json(false);
        break;
      default: return integer();
    }
    fail("unknown word");
  }

  Json integer() {
    std::int64_t value = 0;
    const char* begin = text_.data() + at_;
    const auto [end, error] = std::from_chars(begin, text_.data() + text_.size(), value);
    if (error != std::errc()) fail("not an integer");
    at_ += static_cast<std::size_t>(end - begin);
    if (at_ < text_.size() && (text_[at_] == '.' || text_[at_] == 'e' || text_[at_] == 'E'))
      fail("not an integer");
    return Json(value);
  }

  Json array(int depth) {
    expect('[');
    Json::Array items;
    if (accept(']')) return Json(std::move(items));
    do items.push_back(read(depth + 1));
    while (accept(','));
    expect(']');
    return Json(std::move(items));
  }

  Json object(int depth) {
    expect('{');
    Json::Object members;
    if (accept('}')) return Json(std::move(members));
    do {
      if (peek() != '"') fail("a key must be a string");
      std::string key = string();
      expect(':');
      members.emplace_back(std::move(key), read(depth + 1));
    } while (accept(','));
    expect('}');
    return Json(std::move(members));
  }

  std::string string() {
    ++at_;  // the quote
    std::string out;
    while (true) {
      if (at_ == text_.size()) fail("string without end");
      const char c = text_[at_++];
      if (c == '"') return out;
      if (c != '\\') {
        out += c;
        continue;
      }
      if (at_ == text_.size()) fail("string without end");
      switch (const char escape = text_[at_++]) {
        case 'b': out += '\b'; break;
        case 'f': out += '\f'; break;
        case 'n': out += '\n'; break;
        case 'r': out += '\r'; break;
        case 't': out += '\t'; break;
        case 'u': append_utf8(out, code_point()); break;
        case '"':
        case '\\':
        case '/': out += escape; break;
        default: fail("unknown escape");
      }
    }
  }

  unsigned hex4() {
    unsigned value = 0;
    if (text_.size() - at_ < 4) fail("short \\u escape");
    const char* begin = text_.data() + at_;
    const auto [end, error] = std::from_chars(begin, begin + 4, value, 16);
    if (error != std::errc() || end != begin + 4) fail("bad \\u escape");
    at_ += 4;
    return value;
  }

  unsigned code_point() {
    const unsigned first = hex4();
    if (first < 0xD800 || first > 0xDFFF) return first;
    if (first > 0xDBFF || !accept_word("\\u")) fail("lone surrogate");
    const unsigned second = hex4();
    if (second < 0xDC00 || second > 0xDFFF) fail("lone surrogate");
    return 0x10000 + ((first - 0xD800) << 10) + (second - 0xDC00);
  }

  static void append_utf8(std::string& out, unsigned code) {
    const auto tail = [&](unsigned bits) { out += static_cast<char>(0x80 | (bits & 0x3F)); };
    if (code < 0x80) {
      out += static_cast<char>(code);
    } else if (code < 0x800) {
      out += static_cast<char>(0xC0 | (code >> 6));
      tail(code);
    } else if (code < 0x10000) {
      out += static_cast<char>(0xE0 | (code >> 12));
      tail(code >> 6);
      tail(code);
    } else {
      out += static_cast<char>(0xF0 | (code >> 18));
      tail(code >> 12);
      tail(code >> 6);
      tail(code);
    }
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

const Json& null() {
  static const Json value;
  return value;
}

}  // namespace

std::size_t Json::size() const noexcept {
  if (const auto* items = std::get_if<Array>(&data_)) return items->size();
  if (const auto* members = std::get_if<Object>(&data_)) return members->size();
  return 0;
}

const Json& Json::operator[](std::size_t index) const {
  const auto* items = std::get_if<Array>(&data_);
  return items && index < items->size() ? (*items)[index] : null();
}

const Json& Json::operator[](std::string_view key) const {
  if (const auto* members = std::get_if<Object>(&data_)) {
    for (const auto& [name, value] : *members)
      if (name == key) return value;
  }
  return null();
}

Json parse_json(std::string_view text) { return Reader(text).document(); }

}  // namespace conformance
