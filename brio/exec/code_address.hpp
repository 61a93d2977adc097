// Inside brio/exec. Where a function is, in words that hold in another process of the program.
#pragma once

#include <brio/exec/process_function.hpp>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace brio::detail {

/// An address, told from the beginning of the module (program or library) that it is in: the module
/// itself lies elsewhere in each process.
struct CodeAddress {
  std::string module;             // path; "" for the program
  std::uint64_t fingerprint = 0;  // of what the linker made: another build has another one
  std::uint64_t offset = 0;
};

/// What is loaded, for a child to be forked.
struct Module {
  std::string name;
  std::uint64_t fingerprint = 0;
  std::uint64_t base = 0;
  std::vector<std::pair<std::uint64_t, std::uint64_t>> code = {};  // offset and size
};
[[nodiscard]] std::vector<Module> loaded_modules();
/// For a forked child: its functions are in these. It must not ask the loader, whose lock another
/// thread of the parent may have held at the fork, perhaps only to submit a call; glibc sets the
/// locks of malloc free in a child, but not this one.
void set_known_modules(std::vector<Module> modules) noexcept;

/// Throws ValueError if the function is in no loaded module.
[[nodiscard]] CodeAddress address_of(AnyFunction function);
/// The function here, in the one thread of a worker that makes calls. Throws LookupError if the
/// module is not loaded, or is another build.
[[nodiscard]] AnyFunction function_at(const CodeAddress& address);

void brio_serialize(auto& archive, CodeAddress& address) {
  archive(address.module, address.fingerprint, address.offset);
}

}  // namespace brio::detail
