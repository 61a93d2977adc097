#include <brio/http/media_types.hpp>

#include <brio/http/headers.hpp>

#include <array>
#include <utility>

namespace brio::http {
namespace {

using Entry = std::pair<std::string_view, std::string_view>;

constexpr std::array types{
    Entry{"html", "text/html; charset=utf-8"},
    Entry{"htm", "text/html; charset=utf-8"},
    Entry{"css", "text/css; charset=utf-8"},
    Entry{"js", "text/javascript; charset=utf-8"},
    Entry{"mjs", "text/javascript; charset=utf-8"},
    Entry{"json", "application/json"},
    Entry{"map", "application/json"},
    Entry{"webmanifest", "application/manifest+json"},
    Entry{"wasm", "application/wasm"},
    Entry{"txt", "text/plain; charset=utf-8"},
    Entry{"text", "text/plain; charset=utf-8"},
    Entry{"log", "text/plain; charset=utf-8"},
    Entry{"md", "text/markdown; charset=utf-8"},
    Entry{"csv", "text/csv; charset=utf-8"},
    Entry{"tsv", "text/tab-separated-values; charset=utf-8"},
    Entry{"ics", "text/calendar; charset=utf-8"},
    Entry{"vtt", "text/vtt; charset=utf-8"},
    Entry{"xml", "application/xml"},
    Entry{"xhtml", "application/xhtml+xml"},
    Entry{"atom", "application/atom+xml"},
    Entry{"rss", "application/rss+xml"},
    Entry{"jsonl", "application/jsonl"},
    Entry{"yaml", "application/yaml"},
    Entry{"yml", "application/yaml"},
    Entry{"toml", "application/toml"},
    Entry{"c", "text/plain; charset=utf-8"},
    Entry{"cc", "text/plain; charset=utf-8"},
    Entry{"cpp", "text/plain; charset=utf-8"},
    Entry{"h", "text/plain; charset=utf-8"},
    Entry{"hpp", "text/plain; charset=utf-8"},
    Entry{"py", "text/x-python; charset=utf-8"},
    Entry{"sh", "text/x-shellscript; charset=utf-8"},
    Entry{"png", "image/png"},
    Entry{"jpg", "image/jpeg"},
    Entry{"jpeg", "image/jpeg"},
    Entry{"gif", "image/gif"},
    Entry{"webp", "image/webp"},
    Entry{"avif", "image/avif"},
    Entry{"svg", "image/svg+xml"},
    Entry{"ico", "image/vnd.microsoft.icon"},
    Entry{"bmp", "image/bmp"},
    Entry{"tif", "image/tiff"},
    Entry{"tiff", "image/tiff"},
    Entry{"woff", "font/woff"},
    Entry{"woff2", "font/woff2"},
    Entry{"ttf", "font/ttf"},
    Entry{"otf", "font/otf"},
    Entry{"mp3", "audio/mpeg"},
    Entry{"m4a", "audio/mp4"},
    Entry{"ogg", "audio/ogg"},
    Entry{"opus", "audio/ogg"},
    Entry{"flac", "audio/flac"},
    Entry{"wav", "audio/wav"},
    Entry{"mp4", "video/mp4"},
    Entry{"m4v", "video/mp4"},
    Entry{"webm", "video/webm"},
    Entry{"ogv", "video/ogg"},
    Entry{"mov", "video/quicktime"},
    Entry{"mkv", "video/x-matroska"},
    Entry{"pdf", "application/pdf"},
    Entry{"zip", "application/zip"},
    Entry{"gz", "application/gzip"},
    Entry{"tgz", "application/gzip"},
    Entry{"bz2", "application/x-bzip2"},
    Entry{"xz", "application/x-xz"},
    Entry{"zst", "application/zstd"},
    Entry{"7z", "application/x-7z-compressed"},
    Entry{"tar", "application/x-tar"},
    Entry{"jar", "application/java-archive"},
    Entry{"deb", "application/vnd.debian.binary-package"},
    Entry{"epub", "application/epub+zip"},
    Entry{"rtf", "application/rtf"},
    Entry{"doc", "application/msword"},
    Entry{"docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"},
    Entry{"xls", "application/vnd.ms-excel"},
    Entry{"xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"},
    Entry{"ppt", "application/vnd.ms-powerpoint"},
    Entry{"pptx", "application/vnd.openxmlformats-officedocument.presentationml.presentation"},
    Entry{"odt", "application/vnd.oasis.opendocument.text"},
    Entry{"ods", "application/vnd.oasis.opendocument.spreadsheet"},
};

}  // namespace

std::string_view guess_media_type(std::string_view file_name) noexcept {
  file_name = file_name.substr(file_name.rfind('/') + 1);
  const std::size_t dot = file_name.rfind('.');
  if (dot != std::string_view::npos && dot > 0) {
    const std::string_view extension = file_name.substr(dot + 1);
    for (const auto& [known, type] : types) {
      if (iequals(known, extension)) return type;
    }
  }
  return "application/octet-stream";
}

}  // namespace brio::http
