#include <brio/exec/code_address.hpp>

#include <link.h>
#include <utility>

namespace brio::detail {

namespace {

// The part of a module that has `offset`; null if none has. Only code can be called.
const ElfW(Phdr) * code_segment(const dl_phdr_info& module, std::uint64_t offset) {
  for (int i = 0; i < module.dlpi_phnum; ++i) {
    const ElfW(Phdr)& segment = module.dlpi_phdr[i];
    if (segment.p_type == PT_LOAD && (segment.p_flags & PF_X) != 0 && offset >= segment.p_vaddr &&
        offset - segment.p_vaddr < segment.p_memsz)
      return &segment;
  }
  return nullptr;
}

// FNV-1a
void mix(std::uint64_t& hash, const void* data, std::size_t size) {
  const auto* bytes = static_cast<const unsigned char*>(data);
  for (std::size_t i = 0; i < size; ++i) hash = (hash ^ bytes[i]) * 0x100000001b3;
}

// The sizes and places of all parts, and the notes: the build's number is one, if the linker wrote
// it.
std::uint64_t fingerprint(const dl_phdr_info& module) {
  std::uint64_t hash = 0xcbf29ce484222325;
  for (int i = 0; i < module.dlpi_phnum; ++i) {
    const ElfW(Phdr)& segment = module.dlpi_phdr[i];
    mix(hash, &segment, sizeof segment);
    if (segment.p_type == PT_NOTE)
      mix(hash, reinterpret_cast<const void*>(module.dlpi_addr + segment.p_vaddr), segment.p_memsz);
  }
  return hash;
}

struct Search {
  std::uint64_t address = 0;  // to find the module of
  CodeAddress found = {};
};

int find_module(dl_phdr_info* module, std::size_t, void* data) {
  auto& search = *static_cast<Search*>(data);
  const std::uint64_t offset = search.address - module->dlpi_addr;
  if (search.address < module->dlpi_addr || !code_segment(*module, offset)) return 0;
  search.found = {
      .module = module->dlpi_name, .fingerprint = fingerprint(*module), .offset = offset};
  return 1;
}

int add_module(dl_phdr_info* info, std::size_t, void* data) {
  Module module{
      .name = info->dlpi_name, .fingerprint = fingerprint(*info), .base = info->dlpi_addr};
  for (int i = 0; i < info->dlpi_phnum; ++i) {
    const ElfW(Phdr)& segment = info->dlpi_phdr[i];
    if (segment.p_type == PT_LOAD && (segment.p_flags & PF_X) != 0)
      module.code.emplace_back(segment.p_vaddr, segment.p_memsz);
  }
  static_cast<std::vector<Module>*>(data)->push_back(std::move(module));
  return 0;
}

// In a worker, in the thread that makes its calls.
std::vector<Module>& known_modules() {
  static std::vector<Module> modules;
  return modules;
}

const Module* known_module(const std::string& name) {
  for (const Module& module : known_modules())
    if (module.name == name) return &module;
  return nullptr;
}

}  // namespace

CodeAddress address_of(AnyFunction function) {
  Search search{.address = reinterpret_cast<std::uintptr_t>(function)};
  if (dl_iterate_phdr(&find_module, &search) == 0)
    throw ValueError("the function is in no module of this program: null, or made at run time");
  return std::move(search.found);
}

std::vector<Module> loaded_modules() {
  std::vector<Module> modules;
  dl_iterate_phdr(&add_module, &modules);
  return modules;
}

void set_known_modules(std::vector<Module> modules) noexcept { known_modules().swap(modules); }

AnyFunction function_at(const CodeAddress& address) {
  const Module* module = known_module(address.module);
  if (!module) {
    // The first call, or a library that was loaded since the last look.
    set_known_modules(loaded_modules());
    module = known_module(address.module);
  }
  const std::string name = address.module.empty() ? "the program" : address.module;
  if (!module)
    throw LookupError("the worker process has not loaded " + name +
                      "; an initializer of the pool can load it");
  bool is_code = false;
  for (const auto& [offset, size] : module->code)
    is_code = is_code || (address.offset >= offset && address.offset - offset < size);
  if (!is_code || module->fingerprint != address.fingerprint)
    throw LookupError("the worker process has another build of " + name);
  return reinterpret_cast<AnyFunction>(static_cast<std::uintptr_t>(module->base + address.offset));
}

}  // namespace brio::detail
