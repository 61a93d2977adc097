// scenario_runner NAME              runs one scenario: prints its trace
// scenario_runner --check NAME DIR  runs it and compares the trace with DIR/NAME.txt
// scenario_runner --list            prints the names
#include "scenario.hpp"

#include <cstdio>
#include <cstring>
#include <fstream>
#include <iterator>
#include <map>
#include <sys/mman.h>
#include <unistd.h>

namespace {

std::map<std::string, scenarios::Function>& known() {
  static std::map<std::string, scenarios::Function> functions;
  return functions;
}

int usage() {
  std::fputs("usage: scenario_runner NAME | --check NAME DIRECTORY | --list\n", stderr);
  return 2;
}

// Runs with standard output going to memory. A scenario that forks keeps it in the child.
std::string trace_of(scenarios::Function function) {
  std::fflush(stdout);
  const int screen = dup(STDOUT_FILENO);
  const int memory = memfd_create("trace", 0);
  dup2(memory, STDOUT_FILENO);
  function();
  std::fflush(stdout);
  dup2(screen, STDOUT_FILENO);
  close(screen);
  std::string text(static_cast<std::size_t>(lseek(memory, 0, SEEK_END)), '\0');
  if (pread(memory, text.data(), text.size(), 0) < 0) text.clear();
  close(memory);
  return text;
}

int check(const std::string& name, scenarios::Function function, const std::string& directory) {
  std::ifstream file(directory + "/" + name + ".txt", std::ios::binary);
  if (!file) {
    std::fprintf(stderr, "there is no %s/%s.txt\n", directory.c_str(), name.c_str());
    return 2;
  }
  const std::string expected{std::istreambuf_iterator<char>(file), {}};
  const std::string trace = trace_of(function);
  if (trace == expected) return 0;
  std::printf("--- expected\n%s--- brio\n%s", expected.c_str(), trace.c_str());
  return 1;
}

}  // namespace

scenarios::Registration::Registration(const char* name, Function function) {
  known().emplace(name, function);
}

int main(int argc, char** argv) {
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  if (arguments.empty()) return usage();
  if (arguments[0] == "--list") {
    for (const auto& [name, function] : known()) std::printf("%s\n", name.c_str());
    return 0;
  }
  const bool checking = arguments[0] == "--check";
  if (arguments.size() != (checking ? 3 : 1)) return usage();
  const std::string& name = arguments[checking ? 1 : 0];
  const auto found = known().find(name);
  if (found == known().end()) {
    std::fprintf(stderr, "there is no scenario %s\n", name.c_str());
    return 2;
  }
  if (checking) return check(name, found->second, arguments[2]);
  found->second();
  return 0;
}
