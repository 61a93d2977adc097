// One URL to one file: requests, resuming, retries, checks and the name.
#pragma once

#include "get/checksums.hpp"
#include "get/display.hpp"
#include "get/naming.hpp"
#include "get/options.hpp"
#include "get/part_file.hpp"
#include "get/report.hpp"
#include "get/retry.hpp"

#include <brio/core/coro.hpp>
#include <brio/http/client.hpp>

#include <chrono>
#include <optional>
#include <random>
#include <string>

namespace brio::cli {

/// How long an interrupted run waits for its threads, first for the clean-up and then for the rest:
/// a disk that does not answer (a dead file server) may hold them for ever. A slow disk can do the
/// clean-up in that time, and somebody at a terminal has not yet lost patience.
inline constexpr std::chrono::seconds interrupt_grace{3};

/// What all downloads of a run share. Outlives them.
struct Downloads {
  const GetOptions& options;
  http::ClientSession& session;
  Display& display;
  NameRegistry names;
  RetryPolicy policy;
  /// Expected sums; null for none.
  const ChecksumList* checksums = nullptr;
  std::minstd_rand random{std::random_device{}()};
};

/// What tells one download from another, and is written down with its part: the URL without its
/// fragment and its credentials, and where it has some a SHA-256 sum of both in their place, for
/// others may bring another file.
std::string identity(const http::URL& url);

/// Downloads a URL, with retries. Never throws but for a cancellation, which leaves a part only
/// where a later run can go on from it.
Coro<GetResult> download(Downloads& shared, std::string url);

}  // namespace brio::cli
