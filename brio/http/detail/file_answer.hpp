// An open file as the answer to a request: conditions, ranges, the body.
#pragma once

#include <brio/http/server_request.hpp>
#include <brio/http/server_response.hpp>
#include <brio/os/descriptor.hpp>

#include <string>
#include <sys/stat.h>

namespace brio::http::detail {

/// An open file, or none.
struct OpenFile {
  os::Descriptor descriptor;
  struct stat info{};
  int error = 0;  ///< errno where there is none

  [[nodiscard]] bool is_folder() const noexcept { return S_ISDIR(info.st_mode); }
  [[nodiscard]] bool is_file() const noexcept { return S_ISREG(info.st_mode); }
};

/// 200, 206, 304, 412 or 416. `options.headers` go with each.
[[nodiscard]] Response answer_with_file(const Request& request, OpenFile file,
                                        ResponseOptions options);

}  // namespace brio::http::detail
