#include <brio/exec/serialize.hpp>

namespace brio::serial {

void throw_malformed(const char* what) {
  throw concurrent::SerializationError(std::string("malformed data: ") + what);
}

detail::Nested::Nested(int& depth) : depth_(depth) {
  if (depth_ >= max_depth)
    throw concurrent::SerializationError("values are nested more than " +
                                         std::to_string(max_depth) + " deep");
  ++depth_;
}

std::string_view Reader::bytes(std::size_t size) {
  if (size > left_.size()) throw_malformed("it ends too early");
  const std::string_view taken = left_.substr(0, size);
  left_.remove_prefix(size);
  return taken;
}

std::size_t Reader::count(std::size_t each) {
  const auto number = detail::read_plain<std::uint64_t>(*this);
  if (number > left_.size() / each) throw_malformed("more elements than bytes");
  return static_cast<std::size_t>(number);
}

void Reader::finish() const {
  if (!left_.empty()) throw_malformed("bytes are left over");
}

}  // namespace brio::serial
