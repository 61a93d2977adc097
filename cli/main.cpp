// The `brio` command.
#include "arguments.hpp"

#include "get/command.hpp"
#include "get/naming.hpp"
#include "serve/command.hpp"

#include <cstdio>
#include <exception>

int main(int argc, char** argv) {
  try {
    const brio::cli::Arguments arguments = brio::cli::parse_arguments(argc, argv);
    if (arguments.get) return brio::cli::run_get(*arguments.get);
    if (arguments.serve) return brio::cli::run_serve(*arguments.serve);
    std::fputs(arguments.text.c_str(), arguments.status == 0 ? stdout : stderr);
    return arguments.status;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "brio: %s\n", brio::cli::printable(error.what()).c_str());
    return 1;
  }
}
