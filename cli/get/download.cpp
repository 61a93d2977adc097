#include "get/download.hpp"

#include "get/files.hpp"

#include <brio/core/loop.hpp>
#include <brio/core/outcome.hpp>
#include <brio/core/sleep.hpp>
#include <brio/core/timeouts.hpp>
#include <brio/exec/run_in_executor.hpp>
#include <brio/http/errors.hpp>
#include <brio/http/fields.hpp>

#include <chrono>
#include <exception>
#include <stdexcept>
#include <utility>

namespace brio::cli {
namespace {

using PartPtr = std::shared_ptr<PartFile>;

// Bytes that are gathered before a thread writes them.
constexpr std::size_t write_size = 512 * 1024;

/// An answer that brings no file.
struct BadStatus : std::runtime_error {
  BadStatus(const std::string& reason, int status_, std::optional<std::chrono::seconds> asked_)
      : std::runtime_error(reason), status(status_), asked(asked_) {}
  int status;
  std::optional<std::chrono::seconds> asked;
};

/// The file does not have its checksum, or has none in the list.
struct BadChecksum : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// The part that was there does not fit the answer: once more, from the start.
struct StartOver : std::runtime_error {
  using std::runtime_error::runtime_error;
};

std::optional<std::chrono::seconds> retry_after(const http::Headers& headers) {
  const auto text = headers.get("Retry-After");
  if (!text) return std::nullopt;
  const auto now =
      std::chrono::time_point_cast<std::chrono::seconds>(std::chrono::system_clock::now());
  return http::parse_retry_after(*text, now);
}

/// One URL's download with what it has come to.
class Download {
public:
  Download(Downloads& shared, std::string url) : shared_(shared), url_text_(std::move(url)) {
    result_.url = http::without_credentials(url_text_);
    transfer_ = shared_.display.started(result_.url);
    transfer_->note = "waiting";
  }
  Download(const Download&) = delete;
  Download& operator=(const Download&) = delete;

  Coro<GetResult> run();

private:
  Coro<> attempts();
  Coro<> attempt();
  Coro<bool> already_there();
  Coro<> receive(http::ClientResponse response, AnswerPlan plan);
  Coro<> finish();
  void prepare_name(const http::ClientResponse& response);
  std::optional<std::string> expected_sum() const;
  std::optional<std::chrono::milliseconds> delay_after(const std::exception_ptr& error,
                                                       int attempt);

  std::string path_of(const std::string& name) const {
    const std::string& folder = shared_.options.directory;
    return folder == "." ? name : folder + (folder.ends_with('/') ? "" : "/") + name;
  }

  Downloads& shared_;
  std::string url_text_;
  std::optional<http::URL> url_;
  std::shared_ptr<Transfer> transfer_;
  GetResult result_;
  PartPtr part_;
  bool from_scratch_ = false;  // do not ask for a rest
  std::string base_name_;      // what the server or the URL calls it
  std::string name_;           // what it is called here
};

Coro<GetResult> Download::run() {
  const auto start = std::chrono::steady_clock::now();
  auto outcome = co_await as_outcome(attempts());
  if (part_) {
    // Nothing is lost by a second cancellation here: the job in the thread goes on.
    const bool done = outcome.has_value();
    const bool gone = !done && (result_.status == 404 || result_.status == 410);
    const bool discard = done || gone || outcome.error_as<BadChecksum>().has_value() ||
                         (outcome.error_as<OSError>() && !outcome.error_as<http::ClientOSError>() &&
                          !outcome.error_as<TimeoutError>());
    const auto clean_up = [](PartPtr part, bool all) {
      if (!all) return part->keep_or_discard();
      part->discard();
      return false;
    };
    std::optional<Duration> limit;
    if (outcome.cancelled()) limit = interrupt_grace;
    static_cast<void>(co_await as_outcome(wait_for(to_thread(clean_up, part_, discard), limit)));
    part_.reset();
  }
  if (!outcome.has_value() && !name_.empty()) shared_.names.release(name_);
  result_.elapsed = std::chrono::steady_clock::now() - start;
  result_.ok = outcome.has_value();
  if (outcome.cancelled()) {
    result_.error = "interrupted";
    result_.file.clear();
    shared_.display.finished(transfer_, result_);
    outcome.raise();
  }
  if (!result_.ok) {
    result_.error = describe(outcome.error());
    result_.file.clear();
  }
  shared_.display.finished(transfer_, result_);
  co_return result_;
}

Coro<bool> Download::already_there() {
  if (shared_.checksums == nullptr) co_return false;
  const std::string name = choose_name(*url_, *url_, std::nullopt);
  const auto expected = shared_.checksums->find(name);
  if (!expected) co_return false;
  const std::string path = path_of(name);
  const auto sum = co_await to_thread(file_sum, path);
  if (sum != expected) co_return false;
  result_.file = path;
  result_.sha256 = *sum;
  co_return true;
}

Coro<> Download::attempts() {
  url_.emplace(url_text_);
  transfer_->name = choose_name(*url_, *url_, std::nullopt);
  const bool there = co_await already_there();
  if (there) co_return;
  const bool with_sum = shared_.checksums != nullptr || shared_.options.json;
  part_ = co_await to_thread(PartFile::open, shared_.options.directory, identity(*url_), with_sum);
  bool started_over = false;
  for (int number = 1;;) {
    auto outcome = co_await as_outcome(attempt());
    if (outcome.has_value() || outcome.cancelled()) co_return outcome.raise();
    const std::exception_ptr error = outcome.error();
    if (outcome.error_as<StartOver>() && !started_over) {
      started_over = true;
      from_scratch_ = true;
      continue;
    }
    const auto delay = delay_after(error, number);
    if (!delay) std::rethrow_exception(error);
    ++number;
    ++result_.retries;
    const auto seconds = std::chrono::duration<double>(*delay).count();
    transfer_->note =
        "retry in " +
        format_duration(std::chrono::seconds(static_cast<std::int64_t>(seconds + 0.999))) + " (" +
        describe(error) + ")";
    co_await sleep(*delay);
  }
}

std::optional<std::chrono::milliseconds> Download::delay_after(const std::exception_ptr& error,
                                                               int attempt) {
  std::optional<std::chrono::seconds> asked;
  try {
    std::rethrow_exception(error);
  } catch (const BadStatus& e) {
    if (!may_retry_status(e.status)) return std::nullopt;
    asked = e.asked;
  } catch (...) {
    if (!may_retry(error)) return std::nullopt;
  }
  std::uniform_real_distribution<double> uniform(0, 1);
  return retry_delay(shared_.policy, attempt, uniform(shared_.random), asked);
}

std::optional<std::string> Download::expected_sum() const {
  if (shared_.checksums == nullptr) return std::nullopt;
  auto sum = shared_.checksums->find(base_name_);
  if (!sum) throw BadChecksum("no checksum for " + base_name_ + " in the list");
  return sum;
}

void Download::prepare_name(const http::ClientResponse& response) {
  const auto disposition = response.headers().get("Content-Disposition");
  const auto proposed =
      disposition ? http::content_disposition_filename(*disposition) : std::nullopt;
  const std::string base = choose_name(*url_, response.url(), proposed);
  if (base == base_name_) return;
  if (!name_.empty()) shared_.names.release(name_);
  base_name_ = base;
  name_ = shared_.names.take(base);
  transfer_->name = name_;
}

Coro<> Download::attempt() {
  transfer_->note = "connecting";
  http::RequestOptions request;
  request.auto_decompress = false;
  const PartialState state = part_->state();
  const std::uint64_t size = part_->size();
  const bool asked_rest = !from_scratch_ && ask_for_rest(request.headers, state, size);
  http::ClientResponse response = co_await shared_.session.get(url_text_, std::move(request));
  result_.status = response.status();
  AnswerPlan plan =
      plan_answer(response.head(), response.content_length(), state, size, asked_rest);
  if (plan.kind == AnswerPlan::Kind::failed) {
    throw BadStatus(plan.reason, response.status(), retry_after(response.headers()));
  }
  if (plan.kind == AnswerPlan::Kind::restart) throw StartOver(plan.reason);
  from_scratch_ = false;
  prepare_name(response);
  static_cast<void>(expected_sum());  // better now than after the download
  if (plan.kind == AnswerPlan::Kind::from_start) {
    const PartialState fresh{.url = identity(*url_),
                             .validator = validator_of(response.headers()),
                             .total = plan.total,
                             .name = base_name_};
    co_await to_thread([](PartPtr part, PartialState to) { part->restart(to); }, part_, fresh);
    result_.resumed = false;
  } else {
    result_.resumed = size > 0;
  }
  transfer_->note.clear();
  transfer_->total = plan.total;
  transfer_->done = part_->size();
  if (plan.kind != AnswerPlan::Kind::complete) co_await receive(std::move(response), plan);
  co_await finish();
}

Coro<> Download::receive(http::ClientResponse response, AnswerPlan plan) {
  // Gives the buffer back: one serves the whole download.
  const auto write = [](PartPtr part, std::string data) {
    part->append(data);
    data.clear();
    return data;
  };
  const http::ResponseContent content = response.content();
  std::string gathered;
  std::exception_ptr error;
  while (true) {
    auto piece = co_await as_outcome(content.readany());
    error = piece.error();
    if (error) break;
    const std::string data = std::move(piece).value();
    if (data.empty()) break;
    result_.received += data.size();
    transfer_->done += data.size();
    shared_.display.received(data.size());
    gathered += data;
    if (gathered.size() >= write_size) {
      gathered = co_await to_thread(write, part_, std::exchange(gathered, {}));
    }
  }
  // What came before an error is worth keeping as well.
  if (!gathered.empty()) co_await to_thread(write, part_, std::move(gathered));
  if (error) std::rethrow_exception(error);
  const std::uint64_t size = part_->size();
  if (plan.total && *plan.total != size) {
    throw http::ClientPayloadError("got " + std::to_string(size) + " bytes instead of " +
                                   std::to_string(*plan.total));
  }
}

Coro<> Download::finish() {
  transfer_->note = "saving";
  result_.bytes = part_->size();
  if (shared_.checksums != nullptr || shared_.options.json) {
    result_.sha256 = co_await to_thread([](PartPtr part) { return part->sum(); }, part_);
    const auto expected = expected_sum();
    if (expected && result_.sha256 != *expected) {
      // What came before may have been another file after all.
      if (result_.resumed) throw StartOver("checksum mismatch after resuming");
      throw BadChecksum("checksum mismatch: expected " + *expected + ", got " + result_.sha256);
    }
  }
  const auto commit = [](PartPtr part, std::string name) { return part->commit(name); };
  while (true) {
    const bool named = co_await to_thread(commit, part_, name_);
    if (named) break;
    // Somebody made a file of that name meanwhile.
    shared_.names.release(name_);
    name_ = shared_.names.take(base_name_);
  }
  result_.file = path_of(name_);
}

}  // namespace

std::string identity(const http::URL& url) {
  const std::string text = url.without_userinfo().with_fragment(std::nullopt).str();
  if (!url.raw_user()) return text;
  Sha256 sum;
  sum.update(text + "\n" + *url.raw_user() + ":" + url.raw_password().value_or(""));
  return text + " credentials " + sum.hex_digest();
}

Coro<GetResult> download(Downloads& shared, std::string url) {
  Download one(shared, std::move(url));
  co_return co_await one.run();
}

}  // namespace brio::cli
