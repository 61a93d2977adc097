// A cancel message: an immutable text shared by the future, the task and the error, one pointer
// wide, so that the common case (no message) costs a null.
#pragma once

#include <brio/core/config.hpp>

#include <atomic>
#include <optional>
#include <string>
#include <utility>

namespace brio::detail {

class SharedText {
public:
  constexpr SharedText() noexcept = default;
  explicit SharedText(std::string text) : rep_(new Rep{std::move(text)}) {}
  SharedText(const SharedText& other) noexcept : rep_(other.rep_) {
    if (rep_) rep_->refs.fetch_add(1, std::memory_order_relaxed);
  }
  SharedText(SharedText&& other) noexcept : rep_(std::exchange(other.rep_, nullptr)) {}
  SharedText& operator=(SharedText other) noexcept {
    std::swap(rep_, other.rep_);
    return *this;
  }
  ~SharedText() {
    if (rep_) release();
  }

  static SharedText from(std::optional<std::string> text) {
    return text ? SharedText(std::move(*text)) : SharedText();
  }
  explicit operator bool() const noexcept { return rep_ != nullptr; }
  [[nodiscard]] const char* c_str() const noexcept { return rep_ ? rep_->text.c_str() : ""; }
  [[nodiscard]] std::optional<std::string> get() const {
    if (!rep_) return std::nullopt;
    return rep_->text;
  }

private:
  // Atomic because exceptions travel between threads.
  struct Rep {
    std::string text;
    std::atomic<unsigned> refs{1};
  };
  void release() noexcept {
    if (rep_->refs.fetch_sub(1, std::memory_order_acq_rel) == 1) delete rep_;
  }
  Rep* rep_ = nullptr;
};

}  // namespace brio::detail
