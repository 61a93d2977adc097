// The command line of `brio serve`.
#pragma once

#include <chrono>
#include <string>

namespace brio::cli {

struct ServeOptions {
  /// The folder to serve.
  std::string directory = ".";
  /// --host: an address or a name; "" for all interfaces.
  std::string host = "127.0.0.1";
  /// --port; 0 for a free one.
  int port = 8000;
  /// --unix: a Unix socket's path in place of host and port.
  std::string unix_path;
  /// --tls-cert: a PEM file with the certificate chain; "" for plain HTTP.
  std::string tls_cert;
  /// --tls-key; "" where the key stands in the same file.
  std::string tls_key;
  /// --workers: processes; 0 for one per processor.
  int workers = 1;
  /// --spa: answer with index.html what is not there.
  bool spa = false;
  /// --no-listing
  bool listing = true;
  /// --hidden: serve names that begin with '.'.
  bool hidden = false;
  /// --cache-control; "" for none.
  std::string cache_control;
  /// --drain: how long answers may take once it is to stop.
  std::chrono::milliseconds drain{10'000};
  /// -q: no access log.
  bool quiet = false;
};

}  // namespace brio::cli
