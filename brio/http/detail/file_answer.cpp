#include <brio/http/detail/file_answer.hpp>

#include <brio/http/conditional.hpp>
#include <brio/http/detail/file_body.hpp>
#include <brio/http/fields.hpp>

#include <array>
#include <cstdio>
#include <memory>

namespace brio::http {

/// A response whose body lies in a file.
class FileResponse {
public:
  static void attach(Response& response, std::unique_ptr<detail::FileBody> body) {
    response.file_ = std::move(body);
  }
};

namespace detail {
namespace {

// A file that is written again within a second has another time in nanoseconds.
std::string etag_of(const struct stat& info) {
  std::array<char, 64> text{};
  const auto nanoseconds = static_cast<unsigned long long>(info.st_mtim.tv_sec) * 1'000'000'000ULL +
                           static_cast<unsigned long long>(info.st_mtim.tv_nsec);
  std::snprintf(text.data(), text.size(), "\"%llx-%llx\"", nanoseconds,
                static_cast<unsigned long long>(info.st_size));
  return text.data();
}

}  // namespace

Response answer_with_file(const Request& request, OpenFile file, ResponseOptions options) {
  const auto size = static_cast<std::uint64_t>(file.info.st_size);
  const Validators validators{
      .etag = etag_of(file.info),
      .last_modified = std::chrono::sys_seconds(std::chrono::seconds(file.info.st_mtim.tv_sec))};
  options.headers.set("ETag", validators.etag);
  options.headers.set("Last-Modified", format_http_date(*validators.last_modified));
  options.headers.set("Accept-Ranges", "bytes");
  const auto without_body = [&](int status) {
    options.status = status;
    options.content_type.clear();
    return Response(std::move(options));
  };
  switch (evaluate_preconditions(request.method(), request.headers(), validators)) {
    case Precondition::not_modified: return without_body(304);
    case Precondition::failed: return without_body(412);
    case Precondition::proceed: break;
  }
  ByteRange part{0, size};
  if (request.method() == "GET" && options.status == 200) {
    const RangeRequest wanted = evaluate_range(request.headers(), validators, size);
    if (wanted.answer == RangeRequest::Answer::unsatisfiable) {
      options.headers.set("Content-Range", "bytes */" + std::to_string(size));
      return without_body(416);
    }
    if (wanted.answer == RangeRequest::Answer::part) {
      part = wanted.range;
      options.status = 206;
      options.headers.set("Content-Range", "bytes " + std::to_string(part.first) + "-" +
                                               std::to_string(part.first + part.length - 1) + "/" +
                                               std::to_string(size));
    }
  }
  Response response(std::move(options));
  FileResponse::attach(response, std::make_unique<FileBody>(FileBody{std::move(file.descriptor),
                                                                     part.first, part.length}));
  return response;
}

}  // namespace detail
}  // namespace brio::http
