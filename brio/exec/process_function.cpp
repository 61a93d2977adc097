#include <brio/exec/process_function.hpp>

#include <brio/exec/code_address.hpp>

#include <map>
#include <mutex>

namespace brio::detail {

namespace {

enum class By : std::uint8_t { address, address_of_function_too, name };

struct Entry {
  std::string signature;
  RunCall once;
  RunCall chunk;
  AnyFunction function;
};

struct Functions {
  std::mutex mutex;
  std::map<std::string, Entry, std::less<>> by_name;
};

// Never destroyed: a worker's thread may look while the program ends.
Functions& functions() {
  static auto* const instance = new Functions;
  return *instance;
}

Entry find(const std::string& name, const std::string& signature) {
  const std::lock_guard lock(functions().mutex);
  const auto at = functions().by_name.find(name);
  if (at == functions().by_name.end())
    throw LookupError("no function is registered as '" + name + "' in the worker process");
  if (at->second.signature != signature)
    throw LookupError("the function registered as '" + name + "' has another signature");
  return at->second;
}

}  // namespace

void register_function(std::string name, const char* signature, RunCall once, RunCall chunk,
                       AnyFunction function) {
  const std::lock_guard lock(functions().mutex);
  const auto [at, added] =
      functions().by_name.emplace(std::move(name), Entry{signature, once, chunk, function});
  if (!added && at->second.function != function)
    throw ValueError("another function is registered as '" + at->first + "'");
}

void write_target(serial::Writer& writer, const CallTarget& target) {
  if (!target.run) {
    writer(By::name, std::string(target.name), std::string(target.signature), target.chunk);
    return;
  }
  const CodeAddress run = address_of(reinterpret_cast<AnyFunction>(target.run));
  if (!target.function)
    writer(By::address, run);
  else
    writer(By::address_of_function_too, run, address_of(target.function));
}

void run_call(serial::Reader& reader, serial::Writer& writer) {
  const auto by = serial::Serializer<By>::read(reader);
  if (by == By::name) {
    const auto name = serial::Serializer<std::string>::read(reader);
    const Entry entry = find(name, serial::Serializer<std::string>::read(reader));
    const bool chunk = serial::Serializer<bool>::read(reader);
    (chunk ? entry.chunk : entry.once)(entry.function, reader, writer);
    return;
  }
  if (by != By::address && by != By::address_of_function_too)
    serial::throw_malformed("a call names no function");
  const auto run =
      reinterpret_cast<RunCall>(function_at(serial::Serializer<CodeAddress>::read(reader)));
  AnyFunction function = nullptr;
  if (by == By::address_of_function_too)
    function = function_at(serial::Serializer<CodeAddress>::read(reader));
  run(function, reader, writer);
}

}  // namespace brio::detail
