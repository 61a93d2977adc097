#include "get/naming.hpp"
#include "get/utf8.hpp"

#include <doctest/doctest.h>

#include <set>
#include <string>

using namespace brio::cli;
using brio::http::URL;

TEST_CASE("safe names are one visible component") {
  CHECK(safe_name("a.txt") == "a.txt");
  CHECK(safe_name("../../etc/passwd") == "passwd");
  CHECK(safe_name("..\\..\\boot.ini") == "boot.ini");
  CHECK(safe_name("/") == "");
  CHECK(safe_name("a/") == "");
  CHECK(safe_name("..") == "");
  CHECK(safe_name(".") == "");
  CHECK(safe_name("") == "");
  CHECK(safe_name("...") == "");
  CHECK(safe_name(" - . ") == "");
  CHECK(safe_name(".bashrc") == "bashrc");
  CHECK(safe_name("-rf") == "rf");
  CHECK(safe_name("--help") == "help");
  CHECK(safe_name("a.txt. .") == "a.txt");
  CHECK(safe_name("a b-c_d.txt") == "a b-c_d.txt");
  CHECK(safe_name(std::string_view("a\0b\nc\x1b[2J", 9)) == "a_b_c_[2J");
  CHECK(safe_name("\xff\xfe.txt") == "__.txt");
  CHECK(safe_name("\xc0\xaf") == "__");                   // an overlong slash
  CHECK(safe_name("gpj\xe2\x80\xae.exe") == "gpj_.exe");  // right-to-left override
  CHECK(safe_name("na\xc3\xafve \xe6\x97\xa5.txt") == "na\xc3\xafve \xe6\x97\xa5.txt");
  CHECK(safe_name("CON") == "_CON");
  CHECK(safe_name("nul.txt") == "_nul.txt");
  CHECK(safe_name("com1.tar.gz") == "_com1.tar.gz");
  CHECK(safe_name("com10") == "com10");
  CHECK(safe_name("console") == "console");
}

TEST_CASE("long names keep their extension and whole characters") {
  const std::string base(300, 'x');
  CHECK(safe_name(base).size() == max_name_bytes);
  CHECK(safe_name(base + ".txt") == std::string(max_name_bytes - 4, 'x') + ".txt");
  CHECK(safe_name(base + ".tar.gz").ends_with("x.tar.gz"));
  CHECK(safe_name("a." + std::string(300, 'e')).size() == max_name_bytes);
  std::string umlauts;
  for (int i = 0; i < 200; ++i) umlauts += "\xc3\xa4";
  const std::string cut = safe_name("a" + umlauts + ".txt");
  CHECK(cut.size() == max_name_bytes - 1);
  CHECK(cut.ends_with("\xc3\xa4.txt"));
  CHECK(safe_name("abcdef.txt", 8) == "abcd.txt");
}

TEST_CASE("where a name comes from") {
  const URL with_name("http://h/dir/a%20b.txt?x=/y");
  const URL without("http://h/");
  CHECK(choose_name(with_name, without, std::nullopt) == "a b.txt");
  CHECK(choose_name(without, with_name, std::nullopt) == "a b.txt");
  CHECK(choose_name(without, without, std::nullopt) == "index.html");
  CHECK(choose_name(with_name, without, "../c.txt") == "c.txt");
  CHECK(choose_name(with_name, without, "..") == "a b.txt");
  CHECK(choose_name(URL("http://h/%2e%2e%2fetc%2fpasswd"), without, std::nullopt) == "passwd");
  CHECK(choose_name(URL("http://h/%00"), without, std::nullopt) == "_");
}

TEST_CASE("numbers go before the extension") {
  CHECK(numbered_name("a.txt", 0) == "a.txt");
  CHECK(numbered_name("a.txt", 1) == "a.1.txt");
  CHECK(numbered_name("a.tar.gz", 2) == "a.2.tar.gz");
  CHECK(numbered_name("a", 3) == "a.3");
  CHECK(numbered_name("a.b.c", 3) == "a.b.3.c");
}

TEST_CASE("the registry gives each name once") {
  const std::set<std::string> disk{"a.txt", "a.2.txt"};
  NameRegistry names([&](const std::string& name) { return disk.contains(name); });
  CHECK(names.take("a.txt") == "a.1.txt");
  CHECK(names.take("a.txt") == "a.3.txt");
  CHECK(names.take("A.TXT") == "A.4.TXT");  // the same to a file system without case
  CHECK(names.take("b") == "b");
  CHECK(names.take("B") == "B.1");
  names.release("b");
  CHECK(names.take("b") == "b");
  std::set<std::string> many;
  for (int i = 0; i < 2'000; ++i) many.insert(names.take("index.html"));
  CHECK(many.size() == 2'000);
}

TEST_CASE("text from strangers cannot move the cursor") {
  CHECK(printable("a\x1b[31m\r\nb\x7f") == "a?[31m??b?");
  CHECK(printable("\xe2\x80\xae"
                  "x\xff") == "?x?");
  CHECK(printable("gr\xc3\xbc\xc3\x9f") == "gr\xc3\xbc\xc3\x9f");
  CHECK(printable("\xc2\x9b"
                  "31m") == "?31m");  // C1's CSI
}

TEST_CASE("widths and ellipses") {
  CHECK(display_width("abc") == 3);
  CHECK(display_width("\xe6\x97\xa5\xe6\x9c\xac") == 4);
  CHECK(display_width("e\xcc\x81") == 1);
  CHECK(ellipsised("abcdef", 6) == "abcdef");
  CHECK(ellipsised("abcdefgh", 5) == "ab\xe2\x80\xa6gh");
  CHECK(ellipsised("abcdefgh", 1) == "\xe2\x80\xa6");
  CHECK(ellipsised("abcdefgh", 0).empty());
  CHECK(display_width(ellipsised("\xe6\x97\xa5\xe6\x9c\xac\xe6\x97\xa5\xe6\x9c\xac", 5)) <= 5);
  CHECK(padded("ab", 4) == "ab  ");
  CHECK(padded("abcd", 2) == "abcd");
  CHECK_FALSE(next_code_point("\xed\xa0\x80").valid);  // a surrogate
  CHECK_FALSE(next_code_point("\xf4\x90\x80\x80").valid);
  CHECK(next_code_point("\xf0\x9f\x98\x80").value == 0x1f600);
}
