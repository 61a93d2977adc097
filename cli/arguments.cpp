#include "arguments.hpp"

#include "get/files.hpp"

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

#include <cmath>
#include <cstdlib>
#include <sstream>

#ifndef BRIO_VERSION
#define BRIO_VERSION "unknown"
#endif

namespace brio::cli {
namespace {

constexpr std::size_t longest_url_list = 256U * 1024 * 1024;

}  // namespace

Arguments parse_arguments(int argc, const char* const* argv) {
  CLI::App app("brio: asyncio for C++, and what can be done with it", "brio");
  app.set_version_flag("-V,--version", "brio " BRIO_VERSION);
  app.require_subcommand(1);

  GetOptions options;
  std::string url_file;
  double timeout = 30;
  bool sequential = false;
  CLI::App* get = app.add_subcommand("get", "download files, many at once");
  get->add_option("URL", options.urls, "what to download (http or https)");
  get->add_option("-i,--input-file", url_file, "read URLs from FILE too, one a line; - is stdin")
      ->type_name("FILE");
  get->add_option("-o,--output-dir", options.directory, "folder for the files; made if missing")
      ->type_name("DIR")
      ->capture_default_str();
  get->add_option("-j,--jobs", options.jobs, "downloads at once")
      ->type_name("N")
      ->check(CLI::Range(1, 10'000))
      ->capture_default_str();
  get->add_option("--timeout", timeout, "longest wait in seconds to connect, and for more bytes")
      ->type_name("S")
      ->check(CLI::Range(0.001, 1e6))
      ->check([](const std::string& text) {  // for which every comparison is false
        return std::isnan(std::strtod(text.c_str(), nullptr)) ? "not a number" : "";
      })
      ->capture_default_str();
  get->add_option("--retries", options.retries, "further tries after a failure that may pass")
      ->type_name("N")
      ->check(CLI::Range(0, 1'000'000))
      ->capture_default_str();
  get->add_flag("--sequential", sequential, "one after the other, as -j 1");
  get->add_option("--sha256", options.sha256_file, "verify against FILE, as sha256sum writes it")
      ->type_name("FILE");
  get->add_flag("-q,--quiet", options.quiet, "say nothing but failures");
  get->add_flag("--json", options.json, "a line of JSON per file on standard output");

  for (CLI::Option* option : get->get_options(
           [](const CLI::Option* o) { return o->get_type_size() > 0 && !o->get_positional(); })) {
    option->take_last();  // given twice, the last one counts
  }

  Arguments arguments;
  try {
    app.parse(argc, argv);
    if (!url_file.empty()) {
      const std::string text = read_whole_file(url_file, longest_url_list);
      for (std::string& url : parse_url_list(text)) options.urls.push_back(std::move(url));
    } else if (options.urls.empty()) {
      throw CLI::RequiredError("URL or -i FILE");
    }
  } catch (const CLI::ParseError& e) {
    std::ostringstream out;
    std::ostringstream err;
    const bool asked = app.exit(e, out, err) == 0;  // --help, --version
    arguments.status = asked ? 0 : 2;
    arguments.text = asked ? out.str() : err.str();
    return arguments;
  }
  if (sequential) options.jobs = 1;
  options.timeout =
      std::chrono::ceil<std::chrono::milliseconds>(std::chrono::duration<double>(timeout));
  if (options.directory.empty()) options.directory = ".";
  arguments.get = std::move(options);
  return arguments;
}

}  // namespace brio::cli
