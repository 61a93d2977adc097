#include "arguments.hpp"

#include "get/files.hpp"

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

#include <cmath>
#include <cstdlib>
#include <sstream>
#include <utility>
#include <vector>

#ifndef BRIO_VERSION
#define BRIO_VERSION "unknown"
#endif

namespace brio::cli {
namespace {

constexpr std::size_t longest_url_list = 256U * 1024 * 1024;

// The options of `brio get` as they stand on the command line.
struct GetWords {
  GetOptions options;
  std::vector<std::string> url_files;
  double timeout = 30;
  bool sequential = false;
};

CLI::Validator number_check() {
  return CLI::Validator(
      [](std::string& text) {  // for which every comparison is false
        return std::isnan(std::strtod(text.c_str(), nullptr)) ? "not a number" : "";
      },
      "");
}

std::chrono::milliseconds milliseconds(double seconds) {
  return std::chrono::ceil<std::chrono::milliseconds>(std::chrono::duration<double>(seconds));
}

void add_get(CLI::App& get, GetWords& words) {
  get.add_option("URL", words.options.urls, "what to download (http or https)");
  get.add_option("-i,--input-file", words.url_files,
                 "read URLs from FILE too, one a line; - is stdin; may be repeated")
      ->type_name("FILE")
      ->allow_extra_args(false);
  get.add_option("-o,--output-dir", words.options.directory,
                 "folder for the files; made if missing")
      ->type_name("DIR")
      ->capture_default_str();
  get.add_option("-j,--jobs", words.options.jobs, "downloads at once")
      ->type_name("N")
      ->check(CLI::Range(1, 10'000))
      ->capture_default_str();
  get.add_option("--timeout", words.timeout,
                 "longest wait in seconds to connect, and for more bytes")
      ->type_name("S")
      ->check(CLI::Range(0.001, 1e6))
      ->check(number_check())
      ->capture_default_str();
  get.add_option("--retries", words.options.retries, "further tries after a failure that may pass")
      ->type_name("N")
      ->check(CLI::Range(0, 1'000'000))
      ->capture_default_str();
  get.add_flag("--sequential", words.sequential, "one after the other, as -j 1");
  get.add_option("--sha256", words.options.sha256_file,
                 "verify against FILE, as sha256sum writes it")
      ->type_name("FILE");
  get.add_flag("-q,--quiet", words.options.quiet, "say nothing but failures");
  get.add_flag("--json", words.options.json, "a line of JSON per file on standard output");
}

GetOptions finish_get(GetWords words) {
  GetOptions options = std::move(words.options);
  for (const std::string& file : words.url_files) {
    const std::string text = read_whole_file(file, longest_url_list);
    for (std::string& url : parse_url_list(text)) options.urls.push_back(std::move(url));
  }
  if (words.url_files.empty() && options.urls.empty()) {
    throw CLI::RequiredError("URL or -i FILE");
  }
  if (words.sequential) options.jobs = 1;
  options.timeout = milliseconds(words.timeout);
  if (options.directory.empty()) options.directory = ".";
  return options;
}

struct ServeWords {
  ServeOptions options;
  double drain = 10;
  bool no_listing = false;
};

void add_serve(CLI::App& serve, ServeWords& words) {
  serve.add_option("DIR", words.options.directory, "the folder to serve")->capture_default_str();
  serve.add_option("--host", words.options.host, "address or name to listen on; \"\" for all")
      ->type_name("HOST")
      ->capture_default_str();
  serve.add_option("-p,--port", words.options.port, "port to listen on; 0 for a free one")
      ->type_name("PORT")
      ->check(CLI::Range(0, 65'535))
      ->capture_default_str();
  serve.add_option("--unix", words.options.unix_path, "listen on a Unix socket instead")
      ->type_name("PATH");
  CLI::Option* cert =
      serve
          .add_option("--tls-cert", words.options.tls_cert, "certificate chain (PEM): serve https")
          ->type_name("FILE");
  serve.add_option("--tls-key", words.options.tls_key, "its private key, if in a file of its own")
      ->type_name("FILE")
      ->needs(cert);
  serve.add_option("-w,--workers", words.options.workers, "processes; 0 for one per processor")
      ->type_name("N")
      ->check(CLI::Range(0, 1'024))
      ->capture_default_str();
  serve.add_flag("--spa", words.options.spa, "answer with index.html what is not there");
  serve.add_flag("--no-listing", words.no_listing, "404 for a folder without index.html");
  serve.add_flag("--hidden", words.options.hidden, "serve names that begin with a dot");
  serve.add_option("--cache-control", words.options.cache_control, "value of that field")
      ->type_name("TEXT");
  serve.add_option("--drain", words.drain, "seconds for answers to end when told to stop")
      ->type_name("S")
      ->check(CLI::Range(0.0, 1e6))
      ->check(number_check())
      ->capture_default_str();
  serve.add_flag("-q,--quiet", words.options.quiet, "no access log");
}

ServeOptions finish_serve(ServeWords words) {
  words.options.listing = !words.no_listing;
  words.options.drain = milliseconds(words.drain);
  return std::move(words.options);
}

// An option that is given twice: the last one counts.
void last_counts(CLI::App& command) {
  for (CLI::Option* option : command.get_options(
           [](const CLI::Option* o) { return o->get_type_size() > 0 && !o->get_positional(); })) {
    option->take_last();
  }
}

}  // namespace

Arguments parse_arguments(int argc, const char* const* argv) {
  CLI::App app("brio: asyncio for C++, and what can be done with it", "brio");
  app.set_version_flag("-V,--version", "brio " BRIO_VERSION);
  app.require_subcommand(1);
  GetWords get_words;
  CLI::App* get = app.add_subcommand("get", "download files, many at once");
  add_get(*get, get_words);
  last_counts(*get);
  ServeWords serve_words;
  CLI::App* serve = app.add_subcommand("serve", "serve the files of a folder");
  add_serve(*serve, serve_words);
  last_counts(*serve);

  Arguments arguments;
  try {
    app.parse(argc, argv);
    if (get->parsed()) arguments.get = finish_get(std::move(get_words));
    if (serve->parsed()) arguments.serve = finish_serve(std::move(serve_words));
  } catch (const CLI::ParseError& e) {
    std::ostringstream out;
    std::ostringstream err;
    const bool asked = app.exit(e, out, err) == 0;  // --help, --version
    arguments.status = asked ? 0 : 2;
    arguments.text = asked ? out.str() : err.str();
  }
  return arguments;
}

}  // namespace brio::cli
