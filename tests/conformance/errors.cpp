#include "errors.hpp"

#include "bad_program.hpp"

#include <brio/core/exceptions.hpp>
#if __has_include(<brio/core/taskgroup.hpp>)
#include <brio/core/taskgroup.hpp>
#endif

#include <array>
#include <stdexcept>
#include <utility>

namespace conformance {

namespace {

struct ClassAndBase {
  std::string_view name, base;
};
constexpr std::array hierarchy{
    ClassAndBase{"CancelledError", "BaseException"},
    ClassAndBase{"Exception", "BaseException"},
    ClassAndBase{"ValueError", "Exception"},
    ClassAndBase{"KeyError", "Exception"},
    ClassAndBase{"RuntimeError", "Exception"},
    ClassAndBase{"TimeoutError", "Exception"},
    ClassAndBase{"InvalidStateError", "Exception"},
    ClassAndBase{"QueueEmpty", "Exception"},
    ClassAndBase{"QueueFull", "Exception"},
    ClassAndBase{"QueueShutDown", "Exception"},
    ClassAndBase{"StopAsyncIteration", "Exception"},
    ClassAndBase{"ExceptionGroup", "Exception"},
    ClassAndBase{"BrokenBarrierError", "RuntimeError"},
};

std::string_view base_of(std::string_view name) {
  for (const ClassAndBase& row : hierarchy)
    if (row.name == name) return row.base;
  return {};
}

// These three carry the repr of an object between the parts that the trace keeps.
std::string runtime_message(std::string text) {
  constexpr std::string_view itself = "Task cannot await on itself";
  if (text.starts_with(itself)) return std::string(itself);
  if (text.starts_with("TaskGroup <")) return "TaskGroup " + text.substr(text.rfind("> ") + 2);
  return text;
}

template <class E>
std::exception_ptr make(const std::optional<std::string>& message) {
  return std::make_exception_ptr(E(message.value_or("")));
}

}  // namespace

// A catch clause each, derived classes first: what a user's own handlers would do.
ErrorView look_at(const std::exception_ptr& error) {
  try {
    std::rethrow_exception(error);
  } catch (const brio::CancelledError& e) {
    return {"CancelledError", e.what(), {}};
  } catch (const brio::GeneratorExit&) {
    return {"GeneratorExit", "", {}};
  } catch (const brio::TimeoutError& e) {
    return {"TimeoutError", e.what(), {}};
  } catch (const brio::ValueError& e) {
    return {"ValueError", e.what(), {}};
  } catch (const brio::KeyError& e) {
    return {"KeyError", e.what(), {}};
  } catch (const brio::BrokenBarrierError& e) {
    return {"BrokenBarrierError", e.what(), {}};
  } catch (const brio::RuntimeError& e) {
    return {"RuntimeError", runtime_message(e.what()), {}};
  } catch (const brio::InvalidStateError&) {
    return {"InvalidStateError", "invalid state", {}};
  } catch (const brio::QueueEmpty& e) {
    return {"QueueEmpty", e.what(), {}};
  } catch (const brio::QueueFull& e) {
    return {"QueueFull", e.what(), {}};
  } catch (const brio::QueueShutDown& e) {
    return {"QueueShutDown", e.what(), {}};
  } catch (const brio::StopAsyncIteration& e) {
    return {"StopAsyncIteration", e.what(), {}};
#if __has_include(<brio/core/taskgroup.hpp>)
  } catch (const brio::ExceptionGroup& e) {
    return {"ExceptionGroup", e.message(), e.exceptions()};
#endif
  } catch (const PlainException& e) {
    return {"Exception", e.what(), {}};
  } catch (const PlainBaseException& e) {
    return {"BaseException", e.what(), {}};
  } catch (const std::exception& e) {
    return {"?" + brio::type_name(error), e.what(), {}};
  } catch (...) {
    return {"?" + brio::type_name(error), "", {}};
  }
}

std::string format_error(const std::exception_ptr& error) {
  const ErrorView view = look_at(error);
  std::string text = view.class_name + "(" + view.message + ")";
  if (view.class_name != "ExceptionGroup") return text;
  text += "[";
  for (std::size_t i = 0; i < view.children.size(); ++i)
    text += (i > 0 ? ", " : "") + format_error(view.children[i]);
  return text + "]";
}

bool is_instance(const std::exception_ptr& error, std::string_view class_name) {
  const ErrorView view = look_at(error);
  for (std::string_view at = view.class_name; !at.empty(); at = base_of(at))
    if (at == class_name) return true;
  return false;
}

std::exception_ptr make_error(std::string_view class_name,
                              const std::optional<std::string>& message) {
  using Make = std::exception_ptr (*)(const std::optional<std::string>&);
  static constexpr std::array<std::pair<std::string_view, Make>, 13> makers{{
      {"ValueError", make<brio::ValueError>},
      {"KeyError", make<brio::KeyError>},
      {"RuntimeError", make<brio::RuntimeError>},
      {"TimeoutError", make<brio::TimeoutError>},
      {"InvalidStateError", make<brio::InvalidStateError>},
      {"QueueEmpty", make<brio::QueueEmpty>},
      {"QueueFull", make<brio::QueueFull>},
      {"QueueShutDown", make<brio::QueueShutDown>},
      {"BrokenBarrierError", make<brio::BrokenBarrierError>},
      {"StopAsyncIteration", make<brio::StopAsyncIteration>},
      {"Exception", make<PlainException>},
      {"BaseException", make<PlainBaseException>},
      {"CancelledError", make<brio::CancelledError>},
  }};
  for (const auto& [name, maker] : makers)
    if (name == class_name) return maker(message);
  throw BadProgram("cannot raise " + std::string(class_name));
}

}  // namespace conformance
