// conformance_runner [--batch] [FILE]: runs programs of SPEC.md and prints their traces.
#include "json.hpp"
#include "run.hpp"

#include <brio/core/logging.hpp>

#include <cstdio>
#include <exception>
#include <fstream>
#include <iostream>
#include <iterator>
#include <string>
#include <string_view>

namespace {

constexpr std::string_view usage =
    "usage: conformance_runner [--batch] [FILE]\n"
    "Runs the conformance program in FILE (default: standard input) and prints its trace.\n"
    "With --batch, FILE holds one program a line; \"=== NAME\" is printed before each trace, and\n"
    "{\"error\": \"…\"} in the place of the trace of what is no program.\n";

// A program may stand alone or beside its trace.
const conformance::Json& program_in(const conformance::Json& document) {
  return document["program"].is_object() ? document["program"] : document;
}

void run(const conformance::Json& program) {
  for (const std::string& line : conformance::Run(program).trace()) std::cout << line << "\n";
}

std::string error_line(const std::string& text) {
  std::string line = "{\"error\": \"";
  for (const char c : text) {
    char escape[8];
    if (c == '"' || c == '\\') {
      line += {'\\', c};
    } else if (static_cast<unsigned char>(c) < 0x20) {
      std::snprintf(escape, sizeof escape, "\\u%04x", static_cast<unsigned>(c));
      line += escape;
    } else {
      line += c;
    }
  }
  return line + "\"}";
}

// A line that is no program has an error in the place of its trace; the others go on.
void run_batch(std::istream& in) {
  std::string line;
  while (std::getline(in, line)) {
    if (line.find_first_not_of(" \t\r") == std::string::npos) continue;
    bool titled = false;
    const auto title = [&titled](const conformance::Json& name) {
      titled = true;
      std::cout << "=== " << (name.is_string() ? name.string() : "?") << "\n";
    };
    try {
      const conformance::Json document = conformance::parse_json(line);
      const conformance::Json& program = program_in(document);
      title(program["name"]);
      run(program);
    } catch (const std::exception& error) {
      if (!titled) title(conformance::Json());
      std::cout << error_line(error.what()) << "\n";
    }
    std::cout.flush();
  }
}

}  // namespace

int main(int argc, char** argv) {
  bool batch = false;
  const char* file = nullptr;
  for (int i = 1; i < argc; ++i) {
    const std::string_view argument = argv[i];
    if (argument == "--batch") {
      batch = true;
    } else if (argument == "--help") {
      std::cout << usage;
      return 0;
    } else if (file || (argument.starts_with("-") && argument != "-")) {
      std::cerr << usage;
      return 2;
    } else {
      file = argument == "-" ? nullptr : argv[i];
    }
  }
  // A program that ends in a deadlock leaves tasks behind on purpose: that is no news.
  brio::set_log_hook([](const brio::LogRecord&) {});
  std::ios::sync_with_stdio(false);
  try {
    std::ifstream opened;
    if (file) {
      opened.open(file);
      if (!opened) throw std::runtime_error(std::string("cannot open ") + file);
    }
    std::istream& in = file ? opened : std::cin;
    if (batch)
      run_batch(in);
    else
      run(program_in(conformance::parse_json(
          std::string(std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()))));
  } catch (const std::exception& error) {
    std::cout.flush();
    std::cerr << "conformance_runner: " << error.what() << "\n";
    return 1;
  }
  return 0;
}
