#include "get/options.hpp"
#include "get/progress.hpp"
#include "get/report.hpp"
#include "get/utf8.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>

using namespace brio::cli;
using namespace std::chrono_literals;

TEST_CASE("numbers for people") {
  CHECK(format_bytes(0) == "0 B");
  CHECK(format_bytes(999) == "999 B");
  CHECK(format_bytes(1'000) == "1.0 KiB");
  CHECK(format_bytes(1'536) == "1.5 KiB");
  CHECK(format_bytes(10'240) == "10 KiB");
  CHECK(format_bytes(1'023'487) == "999 KiB");
  CHECK(format_bytes(1'023'488) == "1.0 MiB");
  CHECK(format_bytes(5'000'000'000) == "4.7 GiB");
  CHECK(format_bytes(std::numeric_limits<std::uint64_t>::max()) == "16 EiB");
  CHECK(format_rate(2'097'152) == "2.0 MiB/s");
  CHECK(format_rate(std::nan("")) == "0 B/s");
  CHECK(format_duration(0s) == "0:00");
  CHECK(format_duration(65s) == "1:05");
  CHECK(format_duration(3'723s) == "1:02:03");
  CHECK(format_duration(5 * 86'400s + 3'700s) == "5d 1h");
  CHECK(format_duration(std::nullopt) == "-:--");
  CHECK(format_duration(-5s) == "0:00");
}

TEST_CASE("the rate is smooth and right from the start") {
  RateMeter meter(3s);
  RateMeter::Clock::time_point now{};
  meter.start(now, 500);
  CHECK(meter.rate() == 0);
  meter.sample(now, 600);  // no time has passed
  CHECK(meter.rate() == 0);
  std::uint64_t total = 500;
  for (int i = 0; i < 5; ++i) meter.sample(now += 100ms, total += 100);
  CHECK(meter.rate() == doctest::Approx(1'000));
  meter.sample(now += 100ms, total);  // one pause does not bring it down to nothing
  CHECK(meter.rate() > 500);
  for (int i = 0; i < 300; ++i) meter.sample(now += 100ms, total);
  CHECK(meter.rate() < 1);
  meter.sample(now += 1s, 10);  // less than before: from the start
  CHECK(meter.rate() == 0);
}

TEST_CASE("time left") {
  CHECK(estimate(0, 100, 10) == 10s);
  CHECK(estimate(50, 101, 10) == 6s);
  CHECK(estimate(100, 100, 0) == 0s);
  CHECK(estimate(200, 100, 1) == 0s);
  CHECK_FALSE(estimate(0, std::nullopt, 10).has_value());
  CHECK_FALSE(estimate(0, 100, 0).has_value());
  CHECK_FALSE(estimate(0, std::numeric_limits<std::uint64_t>::max(), 1).has_value());
}

TEST_CASE("a file's line") {
  FileProgress file{
      .name = "ubuntu.iso", .done = 512 * 1024, .total = 1024 * 1024, .rate = 262'144};
  CHECK(render_file(file, 100) ==
        "ubuntu.iso                 [#########.........]   50%  512 KiB/1.0 MiB      256 KiB/s    "
        "eta 0:02");
  CHECK(render_file(file, 79) ==
        "ubuntu.iso      [####....]   50%  512 KiB/1.0 MiB      256 KiB/s    eta 0:02");
  CHECK(render_file(file, 60) == "ubuntu.iso             50%  512 KiB/1.0 MiB      256 KiB/s");
  CHECK(render_file(file, 40) == "ubuntu.iso      50%  512 KiB/1.0 MiB");
  CHECK(render_file(file, 20) == "ubuntu.iso       50%");
  CHECK(render_file(file, 10) == "ubuntu.iso");
  file.total.reset();
  CHECK(render_file(file, 60) == "ubuntu.iso     512 KiB              256 KiB/s    eta -:--");
  file = {.name = "empty", .total = 0};
  CHECK(render_file(file, 50) == "empty             0 B                  0 B/s");
  file.note = "retry in 2 s";
  CHECK(render_file(file, 40) == "empty                       retry in 2 s");
  file = {.name = "a\x1b[2Jb", .done = 5, .total = 5};
  CHECK(render_file(file, 24).find('\x1b') == std::string::npos);
  file.name = std::string(300, 'n');
  for (int width = 0; width < 200; ++width) {
    CHECK(display_width(render_file(file, width)) <= width);
  }
  file.note = std::string(300, 'm');
  for (int width = 0; width < 200; ++width) {
    CHECK(display_width(render_file(file, width)) <= std::max(width, 1));
  }
}

TEST_CASE("the total's line and the whole display") {
  TotalProgress total{.files = 10,
                      .files_done = 3,
                      .files_failed = 1,
                      .bytes = 1'048'576,
                      .bytes_total = 4'194'304,
                      .rate = 1'048'576,
                      .elapsed = 61s};
  CHECK(render_total(total, 100) ==
        "3/10 files, 1 failed  1.0 MiB  1.0 MiB/s  eta 0:03  1:01 elapsed");
  CHECK(render_total(total, 32) == "3/10 files, 1 failed  1.0 MiB");
  total = {.files = 1};
  CHECK(render_total(total, 30) == "0/1 file  0 B  0 B/s  eta -:--");
  const std::vector<FileProgress> files(5, FileProgress{.name = "x"});
  CHECK(render(files, total, 80, 24).size() == 6);
  const auto few = render(files, total, 80, 4);
  REQUIRE(few.size() == 4);
  CHECK(few[2] == "… and 3 more");
  CHECK(render(files, total, 80, 1).size() == 1);
  CHECK(render(files, total, 80, 0).size() == 1);
  CHECK(render(files, total, 80, 2).front() == "… and 5 more");
}

TEST_CASE("a block of lines on a terminal") {
  TerminalBlock block;
  CHECK(block.clear().empty());
  CHECK(block.update({"a", "b"}) == "a\nb");
  CHECK(block.update({"c"}) == "\r\x1b[2K\x1b[1A\x1b[2Kc");
  CHECK(block.clear() == "\r\x1b[2K");
  CHECK(block.clear().empty());
}

TEST_CASE("results as lines") {
  GetResult result{.url = "http://h/\"a\"", .ok = true, .file = "d/a\n.txt", .bytes = 2'048};
  result.received = 1'024;
  result.elapsed = 1'500ms;
  result.resumed = true;
  result.status = 206;
  result.sha256 = "00";
  CHECK(json_line(result) ==
        R"({"url": "http://h/\"a\"", "status": "ok", "file": "d/a\u000a.txt", "bytes": 2048, )"
        R"("received": 1024, "sha256": "00", "seconds": 1.500000, "retries": 0, "resumed": true, )"
        R"("http_status": 206})");
  CHECK(plain_line(result) == "saved d/a?.txt (2.0 KiB in 1.5 s, resumed)");
  result = {.url = "http://h/x", .error = "HTTP status 404\x1b Not Found"};
  result.status = 404;
  CHECK(
      json_line(result) ==
      R"({"url": "http://h/x", "status": "failed", "bytes": 0, "received": 0, "seconds": 0.000000, )"
      R"("retries": 0, "resumed": false, "http_status": 404, )"
      R"("error": "HTTP status 404\u001b Not Found"})");
  CHECK(plain_line(result) == "failed http://h/x: HTTP status 404? Not Found");
  CHECK(json_string("\xff\xc3\xa4\\") == "\"\\ufffd\xc3\xa4\\\\\"");
}

TEST_CASE("lists of URLs") {
  CHECK(parse_url_list("http://a/\n\n  # no\nhttp://b/ \r\n\thttp://c/#x") ==
        std::vector<std::string>{"http://a/", "http://b/", "http://c/#x"});
  CHECK(parse_url_list("").empty());
  CHECK(parse_url_list("\xEF\xBB\xBFhttp://a/\r\n") == std::vector<std::string>{"http://a/"});
}
