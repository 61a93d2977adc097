#include <brio/exec/remote_error.hpp>

#include <new>
#include <optional>
#include <stdexcept>
#include <string>
#include <system_error>
#include <typeinfo>
#include <utility>

namespace brio::detail {

namespace {

/// An error in words. The fields beyond the message belong to a few types.
struct Told {
  std::string id = {};    // of the type, as typeid has it
  std::string type = {};  // demangled
  std::string message = {};
  int code = 0;  // errno, exit status
  bool system = false;
  bool foreign = false;  // a code of a category that is not the standard library's
  std::string partial = {};
  std::optional<std::uint64_t> number = {};
};

void brio_serialize(auto& archive, Told& told) {
  archive(told.id, told.type, told.message, told.code, told.system, told.foreign, told.partial,
          told.number);
}

struct Known {
  const std::type_info* type;
  std::exception_ptr (*make)(const Told& told);
};

template <class E>
constexpr Known by_message() {
  return {&typeid(E), [](const Told& told) { return std::make_exception_ptr(E(told.message)); }};
}
template <class E>
constexpr Known by_name() {
  return {&typeid(E), [](const Told&) { return std::make_exception_ptr(E()); }};
}
template <class E>
constexpr Known by_errno() {
  return {&typeid(E), [](const Told& told) {
            return std::make_exception_ptr(
                E(std::error_code(told.code, std::generic_category()), told.message));
          }};
}

const std::error_category& category(const Told& told) {
  return told.system ? std::system_category() : std::generic_category();
}

std::exception_ptr make_system_error(const Told& told) {
  // Its constructor adds ": <text of the code>", which the message has already.
  const std::error_code code(told.code, category(told));
  std::string message = told.message;
  const std::string added = ": " + code.message();
  if (message.ends_with(added)) message.resize(message.size() - added.size());
  return std::make_exception_ptr(std::system_error(code, message));
}

constexpr Known known[] = {
    by_message<ValueError>(),
    by_message<TypeError>(),
    by_message<LookupError>(),
    by_message<KeyError>(),
    by_message<RuntimeError>(),
    by_message<InvalidStateError>(),
    by_message<EOFError>(),
    by_message<QueueEmpty>(),
    by_message<QueueFull>(),
    by_message<QueueShutDown>(),
    by_message<StopAsyncIteration>(),
    by_message<BrokenBarrierError>(),
    by_message<SendfileNotAvailableError>(),
    by_message<TimeoutError>(),
    by_message<concurrent::CancelledError>(),
    by_message<concurrent::BrokenExecutor>(),
    by_message<concurrent::BrokenThreadPool>(),
    by_message<concurrent::BrokenProcessPool>(),
    by_message<concurrent::SerializationError>(),
    by_errno<OSError>(),
    by_errno<BlockingIOError>(),
    by_errno<ChildProcessError>(),
    by_errno<FileExistsError>(),
    by_errno<FileNotFoundError>(),
    by_errno<InterruptedError>(),
    by_errno<IsADirectoryError>(),
    by_errno<NotADirectoryError>(),
    by_errno<PermissionError>(),
    by_errno<ProcessLookupError>(),
    by_errno<ConnectionError>(),
    by_errno<BrokenPipeError>(),
    by_errno<ConnectionAbortedError>(),
    by_errno<ConnectionRefusedError>(),
    by_errno<ConnectionResetError>(),
    by_name<KeyboardInterrupt>(),
    by_name<GeneratorExit>(),
    by_name<std::bad_alloc>(),
    by_name<std::bad_array_new_length>(),
    by_name<std::bad_cast>(),
    by_name<std::bad_typeid>(),
    by_name<std::bad_optional_access>(),
    by_name<std::bad_variant_access>(),
    by_message<std::runtime_error>(),
    by_message<std::range_error>(),
    by_message<std::overflow_error>(),
    by_message<std::underflow_error>(),
    by_message<std::logic_error>(),
    by_message<std::invalid_argument>(),
    by_message<std::domain_error>(),
    by_message<std::length_error>(),
    by_message<std::out_of_range>(),
    {&typeid(std::system_error), &make_system_error},
    {&typeid(CancelledError),
     [](const Told& told) {
       return std::make_exception_ptr(told.number ? CancelledError(told.message)
                                                  : CancelledError());
     }},
    {&typeid(SystemExit),
     [](const Told& told) { return std::make_exception_ptr(SystemExit(told.code, told.message)); }},
    {&typeid(IncompleteReadError),
     [](const Told& told) {
       std::optional<std::size_t> expected;
       if (told.number) expected = static_cast<std::size_t>(*told.number);
       return std::make_exception_ptr(IncompleteReadError(told.partial, expected));
     }},
    {&typeid(LimitOverrunError),
     [](const Told& told) {
       return std::make_exception_ptr(
           LimitOverrunError(told.message, static_cast<std::size_t>(told.number.value_or(0))));
     }},
};

// What only some types carry. Rethrows: to be called where an error is told, not where it is fast.
void tell_fields(const std::exception_ptr& error, Told& told) {
  try {
    std::rethrow_exception(error);
  } catch (const std::system_error& e) {
    told.code = e.code().value();
    told.system = e.code().category() == std::system_category();
    told.foreign = !told.system && e.code().category() != std::generic_category();
  } catch (const IncompleteReadError& e) {
    told.partial = e.partial();
    told.number = e.expected();
  } catch (const LimitOverrunError& e) {
    told.number = e.consumed();
  } catch (const SystemExit& e) {
    told.code = e.code();
  } catch (const CancelledError& e) {
    if (e.message()) told.number = 1;
  } catch (const concurrent::RemoteError& e) {
    told.type = e.type();  // from a pool in the worker
    if (told.message.starts_with(e.type() + ": ")) told.message.erase(0, e.type().size() + 2);
  } catch (...) {
    return;
  }
}

}  // namespace

void write_error(serial::Writer& writer, const std::exception_ptr& error) {
  const std::type_info* const type = error.__cxa_exception_type();
  Told told{.id = type ? type->name() : "", .type = type_name(error), .message = describe(error)};
  tell_fields(error, told);
  writer(told);
}

std::exception_ptr read_error(serial::Reader& reader) {
  const auto told = serial::Serializer<Told>::read(reader);
  if (!told.foreign) {
    for (const Known& entry : known)
      if (told.id == entry.type->name()) return entry.make(told);
  }
  return std::make_exception_ptr(concurrent::RemoteError(told.type, told.message));
}

}  // namespace brio::detail
