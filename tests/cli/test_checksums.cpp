#include "get/checksums.hpp"

#include <doctest/doctest.h>

#include <string>

using brio::cli::ChecksumList;
using brio::cli::Sha256;

namespace {
const std::string empty_sum = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
const std::string abc_sum = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
}  // namespace

TEST_CASE("SHA-256 in pieces") {
  Sha256 sum;
  CHECK(sum.hex_digest() == empty_sum);
  sum.reset();
  sum.update("a");
  sum.update("");
  sum.update("bc");
  CHECK(sum.hex_digest() == abc_sum);
}

TEST_CASE("files of checksums") {
  const ChecksumList list =
      ChecksumList::parse(abc_sum + "  a.txt\n" + empty_sum + " *dir/b c.bin\r\n\n# a remark\n" +
                          "SHA256 (d (1).txt) = " + abc_sum + "\n\\" + empty_sum + "  e\\\\f\\n\n" +
                          "BA" + abc_sum.substr(2) + "  upper");
  CHECK(list.size() == 5);
  CHECK(list.find("a.txt") == abc_sum);
  CHECK(list.find("b c.bin") == empty_sum);
  CHECK(list.find("d (1).txt") == abc_sum);
  CHECK(list.find("e\\f\n") == empty_sum);
  CHECK(list.find("upper") == abc_sum);
  CHECK_FALSE(list.find("none").has_value());
  CHECK(ChecksumList::parse("").size() == 0);
  CHECK(ChecksumList::parse(abc_sum + "  a\n" + abc_sum + "  x/a\n").size() == 1);
}

TEST_CASE("what is no line of checksums is refused") {
  for (const std::string& line :
       {std::string("hello"), abc_sum, abc_sum + "  ", abc_sum + " a.txt", abc_sum + "  dir/",
        abc_sum.substr(1) + "   a", "g" + abc_sum.substr(1) + "  a",
        "SHA256 (a) = " + abc_sum + "0", "SHA256 () = " + abc_sum, "SHA1 (a) = " + abc_sum,
        "\\" + abc_sum + "  a\\x", "\\" + abc_sum + "  a\\"}) {
    CAPTURE(line);
    CHECK_THROWS_WITH(ChecksumList::parse("# first\n" + line + "\n"), "line 2 is no checksum line");
  }
  CHECK_THROWS_WITH(ChecksumList::parse(abc_sum + "  a\n" + empty_sum + "  x/a\n"),
                    "line 2: another checksum for a");
  CHECK_THROWS(ChecksumList::parse(std::string(ChecksumList::max_bytes + 1, '#')));
}
