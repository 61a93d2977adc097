#include "get/report.hpp"

#include <doctest/doctest.h>

using namespace brio::cli;

TEST_CASE("strings of JSON hold nothing that a terminal would act on") {
  CHECK(json_string("a\"\\b") == R"("a\"\\b")");
  CHECK(json_string("ü€😀") == "\"ü€😀\"");
  CHECK(json_string("\x1f\x7f\xc2\x80\xc2\x9f\xc2\xa0") ==
        "\"\\u001f\\u007f\\u0080\\u009f\xc2\xa0\"");
  CHECK(json_string("\u2027\u2028\u2029\u202a\u202e\u202f") ==
        "\"\u2027\\u2028\\u2029\\u202a\\u202e\u202f\"");
  CHECK(json_string("\u2066\u2069\u061c") == R"("\u2066\u2069\u061c")");
  CHECK(json_string("a\xff") == R"("a\ufffd")");
}
