#include <brio/http/static_files.hpp>

#include <brio/exec/run_in_executor.hpp>
#include <brio/http/detail/file_answer.hpp>
#include <brio/http/detail/listing.hpp>
#include <brio/http/media_types.hpp>

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace brio::http {

using detail::OpenFile;

namespace {

// openat2(2). `cached`: fail with EAGAIN instead of waiting for a disk.
OpenFile open_beneath(int folder, const std::string& path, bool cached, bool beneath) {
  open_how how{};
  how.flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;
  how.resolve = RESOLVE_NO_MAGICLINKS;
  if (beneath) how.resolve |= RESOLVE_BENEATH;
  if (cached) how.resolve |= RESOLVE_CACHED;
  OpenFile file;
  const long fd = ::syscall(SYS_openat2, folder, path.c_str(), &how, sizeof how);
  if (fd < 0) {
    file.error = errno;
    return file;
  }
  file.descriptor = os::Descriptor::adopt(static_cast<int>(fd));
  if (::fstat(file.descriptor.fileno(), &file.info) < 0) file.error = errno;
  return file;
}

// Without waiting where the kernel knows the path already, which it mostly does.
Coro<OpenFile> open_somehow(int folder, std::string path, bool beneath) {
  OpenFile file = open_beneath(folder, path, true, beneath);
  if (file.error == EAGAIN || file.error == EINVAL) {
    file = co_await to_thread(
        [folder, path, beneath] { return open_beneath(folder, path, false, beneath); });
  }
  co_return file;
}

[[noreturn]] void refuse(int error, const std::string& path) {
  switch (error) {
    case ENOENT:
    case ENOTDIR:
    case ENAMETOOLONG:
    case ELOOP:
    case EXDEV: throw HTTPException(404);
    case EACCES:
    case EPERM: throw HTTPException(403);
    default: throw_oserror(error, "open " + path);
  }
}

// True where every part of a path is a plain name that may be served.
bool is_servable(std::string_view path, bool dotfiles) {
  if (path.find('\0') != std::string_view::npos) return false;
  while (!path.empty()) {
    const std::size_t slash = std::min(path.find('/'), path.size());
    const std::string_view part = path.substr(0, slash);
    path.remove_prefix(std::min(slash + 1, path.size()));
    if (part.empty() || part == "." || part == "..") return false;
    if (part.front() == '.' && !dotfiles && part != ".well-known") return false;
  }
  return true;
}

// The weight that Accept-Encoding gives a coding, above 0 or not (RFC 9110 §12.5.3).
bool takes_coding(const Headers& request, std::string_view coding) {
  for (std::string_view rest : request.getall("Accept-Encoding")) {
    while (!rest.empty()) {
      const std::size_t comma = std::min(rest.find(','), rest.size());
      const std::string_view element = rest.substr(0, comma);
      rest.remove_prefix(std::min(comma + 1, rest.size()));
      const std::size_t semicolon = element.find(';');
      if (!iequals(trimmed(element.substr(0, semicolon)), coding)) continue;
      if (semicolon == std::string_view::npos) return true;
      const std::string_view weight = trimmed(element.substr(semicolon + 1));
      return weight.size() >= 3 && weight.find_first_not_of("qQ=0.") != std::string_view::npos;
    }
  }
  return false;
}

bool is_newer(const struct stat& a, const struct stat& b) noexcept {
  if (a.st_mtim.tv_sec != b.st_mtim.tv_sec) return a.st_mtim.tv_sec > b.st_mtim.tv_sec;
  return a.st_mtim.tv_nsec > b.st_mtim.tv_nsec;
}

}  // namespace

class StaticFiles::Folder : public std::enable_shared_from_this<Folder> {
public:
  Folder(const std::string& path, StaticOptions options)
      : options_(std::move(options)), root_(os::Descriptor::open(path, O_RDONLY | O_DIRECTORY)) {}

  static Coro<Response> serve(std::shared_ptr<const Folder> self, Request& request,
                              std::string path) {
    if (request.method() != "GET" && request.method() != "HEAD") {
      throw HTTPException(405, {}, {{"Allow", "GET, HEAD"}});
    }
    const bool as_folder = path.empty() || path.back() == '/';
    if (as_folder && !path.empty()) path.pop_back();
    if (!is_servable(path, self->options_.dotfiles)) throw HTTPException(404);
    OpenFile file = co_await self->open(path.empty() ? "." : path);
    if (file.error == 0 && file.is_folder()) {
      if (!as_folder) throw redirect_to_folder(request);
      co_return co_await serve_folder(self, request, path);
    }
    if (file.error == 0 && (!file.is_file() || as_folder)) file.error = ENOENT;
    if (file.error != 0) {
      if (self->options_.fallback && (file.error == ENOENT || file.error == ENOTDIR)) {
        path = *self->options_.fallback;
        file = co_await self->open(path);
      }
      if (file.error != 0 || !file.is_file()) refuse(file.error != 0 ? file.error : ENOENT, path);
    }
    co_return co_await serve_file(self, request, path, std::move(file));
  }

private:
  [[nodiscard]] BRIO_CORO_WRAPPER Coro<OpenFile> open(std::string path) const {
    return open_somehow(root_.fileno(), std::move(path), true);
  }

  // "//host" would lead to another server.
  static HTTPException redirect_to_folder(const Request& request) {
    const std::string_view raw = request.raw_path();
    const std::size_t name = std::min(raw.find_first_not_of("/\\"), raw.size());
    std::string to = "/" + std::string(raw.substr(name)) + "/";
    if (!request.query_string().empty()) to += "?" + std::string(request.query_string());
    return HTTPException(308, {}, {{"Location", to}});
  }

  static Coro<Response> serve_folder(std::shared_ptr<const Folder> self, Request& request,
                                     std::string path) {
    const std::string prefix = path.empty() ? "" : path + "/";
    for (const std::string& index : self->options_.index) {
      OpenFile file = co_await self->open(prefix + index);
      if (file.error == 0 && file.is_file()) {
        co_return co_await serve_file(self, request, prefix + index, std::move(file));
      }
    }
    if (!self->options_.show_index) throw HTTPException(404);
    co_return co_await to_thread([self, path, title = request.path()] {
      const OpenFile folder =
          open_beneath(self->root_.fileno(), path.empty() ? "." : path, false, true);
      if (folder.error != 0) refuse(folder.error, path);
      return Response(
          detail::list_folder(folder.descriptor.fileno(), title, self->options_.dotfiles),
          {.content_type = "text/html; charset=utf-8"});
    });
  }

  static Coro<Response> serve_file(std::shared_ptr<const Folder> self, Request& request,
                                   std::string path, OpenFile file) {
    ResponseOptions options;
    options.content_type = guess_media_type(path);
    options.headers.set("X-Content-Type-Options", "nosniff");
    if (!self->options_.cache_control.empty()) {
      options.headers.set("Cache-Control", self->options_.cache_control);
    }
    if (self->options_.precompressed) {
      bool varies = false;
      for (const auto& [coding, suffix] : {std::pair{"br", ".br"}, std::pair{"gzip", ".gz"}}) {
        OpenFile packed = co_await self->open(path + suffix);
        if (packed.error != 0 || !packed.is_file() || is_newer(file.info, packed.info)) continue;
        varies = true;
        if (!takes_coding(request.headers(), coding)) continue;
        file = std::move(packed);
        options.headers.set("Content-Encoding", coding);
        break;
      }
      if (varies) options.headers.set("Vary", "Accept-Encoding");
    }
    co_return detail::answer_with_file(request, std::move(file), std::move(options));
  }

  StaticOptions options_;
  os::Descriptor root_;
};

StaticFiles::StaticFiles(const std::string& folder, StaticOptions options)
    : folder_(std::make_shared<Folder>(folder, std::move(options))) {}

BRIO_CORO_WRAPPER Coro<Response> StaticFiles::serve(Request& request, std::string path) const {
  return Folder::serve(folder_, request, std::move(path));
}

Handler StaticFiles::handler(std::string part) const {
  return [folder = folder_, part = std::move(part)](Request& request) {
    bool named = false;
    for (const auto& [name, value] : request.match_info()) named = named || name == part;
    std::string path = named ? std::string(request.match_info(part)) : request.path().substr(1);
    return Folder::serve(folder, request, std::move(path));
  };
}

Coro<Response> file_response(Request& request, std::string path, ResponseOptions options) {
  OpenFile file = co_await open_somehow(AT_FDCWD, path, false);
  if (file.error == 0 && !file.is_file()) file.error = ENOENT;
  if (file.error != 0) refuse(file.error, path);
  if (options.content_type.empty()) options.content_type = guess_media_type(path);
  co_return detail::answer_with_file(request, std::move(file), std::move(options));
}

}  // namespace brio::http
