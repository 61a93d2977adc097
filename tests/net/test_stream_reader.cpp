#include "support.hpp"

using namespace brio;
using brio::tests::Boom;
using brio::tests::caught;
using brio::tests::ticks;
using brio::tests::Trace;

namespace {

Coro<void> attempt(Trace& ev, StreamReader r, std::string separator) {
  const Outcome<std::string> outcome = co_await as_outcome(r.readuntil(separator));
  if (outcome) {
    ev("read", outcome.value());
  } else if (const auto overrun = outcome.error_as<LimitOverrunError>()) {
    ev("LimitOverrunError", overrun->consumed());
  } else if (const auto incomplete = outcome.error_as<IncompleteReadError>()) {
    ev("IncompleteReadError", incomplete->partial(), incomplete->expected().has_value());
  } else {
    ev(outcome.error());
  }
}

struct Link : ReadTransport {
  explicit Link(Trace& trace) : ev(trace) {}
  [[nodiscard]] bool is_reading() const noexcept override { return true; }
  void pause_reading() override { ev("pause"); }
  void resume_reading() override { ev("resume"); }
  Trace& ev;
};

}  // namespace

TEST_CASE("reader: readuntil, its limit and its errors (scenario 603)") {
  Trace ev;
  run([&]() -> Coro<> {
    StreamReader r(8);
    auto t = create_task(attempt(ev, r, "\r\n"));
    for (const char* piece : {"abc\r", "\ndef"}) {
      co_await ticks(2);
      r.feed_data(piece);
    }
    co_await t;
    r.feed_data("ghijklmnop");
    co_await attempt(ev, r, "\r\n");
    r.feed_data("\r\n");
    co_await attempt(ev, r, "\r\n");
    const std::string first = co_await r.readexactly(13);
    ev("still there", first, co_await r.readexactly(2));
    r.feed_data("xy\r");
    r.feed_eof();
    co_await attempt(ev, r, "\r\n");
    co_await attempt(ev, r, "");
  });
  CHECK(ev.str() ==
        "read b'abc\\r\\n'\n"
        "LimitOverrunError 12\n"
        "LimitOverrunError 13\n"
        "still there b'defghijklmnop' b'\\r\\n'\n"
        "IncompleteReadError b'xy\\r' False\n"
        "ValueError\n");
}

TEST_CASE(
    "reader: pauses its transport above twice the limit, resumes at the limit (scenario 605)") {
  Trace ev;
  run([&]() -> Coro<> {
    StreamReader r(4);
    r.set_transport(std::make_shared<Link>(ev));
    r.feed_data("12345678");
    ev("eight");
    r.feed_data("9");
    r.feed_data("0");
    ev("ten");
    ev(co_await r.read(3));
    ev(co_await r.read(3));
    r.feed_data("abcdef");
    auto t = create_task(r.readexactly(12));
    co_await ticks(1);
    ev("waiting");
    r.feed_data("gh");
    ev(co_await t);
  });
  CHECK(ev.str() ==
        "eight\npause\nten\nb'123'\nresume\nb'456'\npause\nresume\nwaiting\npause\nresume\n"
        "b'7890abcdefgh'\n");
}

TEST_CASE("reader: read some, nothing, all (scenario 606)") {
  Trace ev;
  run([&]() -> Coro<> {
    StreamReader r;
    ev(co_await r.read(0));
    r.feed_data("abcdef");
    ev(co_await r.read(100));
    auto t = create_task(r.read(4));
    co_await ticks(1);
    r.feed_data("ghijkl");
    ev(co_await t);
    t = create_task(r.read());
    co_await ticks(2);
    r.feed_data("mn");
    co_await ticks(2);
    ev(t.done());
    r.feed_eof();
    const std::string all = co_await t;
    ev(all, co_await r.read(5));
  });
  CHECK(ev.str() == "b''\nb'abcdef'\nb'ghij'\nFalse\nb'klmn' b''\n");
}

TEST_CASE(
    "reader: one waiting reader only; a cancelled one leaves the stream usable (scenario 607)") {
  Trace ev;
  run([&]() -> Coro<> {
    StreamReader r;
    auto a = create_task(r.readline());
    co_await ticks(1);
    co_await caught(ev, r.read(1), "second");
    r.feed_data("for a\n");
    ev("first", co_await a);
    auto b = create_task(r.readline());
    co_await ticks(1);
    b.cancel();
    const auto outcome = co_await as_outcome(b);
    ev("cancelled", outcome.error());
    r.feed_data("for c\n");
    co_await caught(ev, r.readline(), "third");
  });
  CHECK(ev.str() ==
        "second RuntimeError\nfirst b'for a\\n'\ncancelled CancelledError\n"
        "third value b'for c\\n'\n");
}

TEST_CASE("reader: an error wakes the waiting read and every later one (scenario 608)") {
  Trace ev;
  run([&]() -> Coro<> {
    StreamReader r;
    auto t = create_task(r.readexactly(10));
    co_await ticks(1);
    r.feed_data("abc");
    co_await ticks(2);
    r.set_exception(Boom("link"));
    ev((co_await as_outcome(t)).error());
    co_await caught(ev, r.read(1));
    co_await caught(ev, r.readline());
    ev(r.exception());
  });
  CHECK(ev.str() == "Boom(link)\ngot Boom(link)\ngot Boom(link)\nBoom(link)\n");
}

TEST_CASE("reader: an error that comes with data in one turn is not missed by readexactly") {
  Trace ev;
  run([&]() -> Coro<> {
    StreamReader r;
    auto t = create_task(r.readexactly(10));
    co_await ticks(1);
    r.feed_data("abc");
    r.set_exception(Boom("link"));
    ev((co_await as_outcome(t)).error());
  });
  CHECK(ev.str() == "Boom(link)\n");
}

TEST_CASE("reader: a read that has its data is not failed by an error in the same turn") {
  Trace ev;
  run([&]() -> Coro<> {
    StreamReader r;
    auto t = create_task(r.read(10));
    co_await ticks(1);
    r.feed_data("abc");
    r.set_exception(Boom("link"));
    ev((co_await as_outcome(t)).value());
    co_await caught(ev, r.read(1));
  });
  CHECK(ev.str() == "b'abc'\ngot Boom(link)\n");
}

TEST_CASE("reader: readline at the end, over the limit, and line by line") {
  Trace ev;
  run([&]() -> Coro<> {
    StreamReader r(4);
    r.feed_data("ab\n");
    ev(co_await r.readline());
    // Over the limit with its end: the line is dropped, the next one is there.
    r.feed_data("too long\nok\n");
    co_await caught(ev, r.readline());
    ev(co_await r.readline());
    // Over the limit without an end: everything goes.
    r.feed_data("no end in sight");
    co_await caught(ev, r.readline());
    ev(r.at_eof());
    r.feed_data("x\ny\nz");
    r.feed_eof();
    while (auto line = co_await r.next()) ev("line", *line);
    ev(co_await r.readline());
    ev(r.at_eof());
  });
  CHECK(ev.str() ==
        "b'ab\\n'\ngot ValueError\nb'ok\\n'\ngot ValueError\nFalse\n"
        "line b'x\\n'\nline b'y\\n'\nline b'z'\nb''\nTrue\n");
}

TEST_CASE("reader: several separators (scenario 609's rule)") {
  Trace ev;
  run([&]() -> Coro<> {
    StreamReader r;
    r.feed_data("one\r\ntwo\nthree;four");
    ev(co_await r.readuntil({"\n", "\r\n", ";"}));
    ev(co_await r.readuntil({"\n", "\r\n", ";"}));
    const std::vector<std::string> separators{"\n", ";"};
    ev(co_await r.readuntil(separators));
    co_await caught(ev, r.readuntil(std::vector<std::string>{}));
    co_await caught(ev, r.readuntil({"a", ""}));
    ev(co_await r.read(10));
  });
  CHECK(ev.str() ==
        "b'one\\r\\n'\nb'two\\n'\nb'three;'\ngot ValueError\ngot ValueError\nb'four'\n");
}

TEST_CASE("reader: readexactly and its errors") {
  Trace ev;
  run([&]() -> Coro<> {
    StreamReader r;
    ev(co_await r.readexactly(0));
    r.feed_data("abc");
    r.feed_eof();
    const auto outcome = co_await as_outcome(r.readexactly(5));
    const auto error = outcome.error_as<IncompleteReadError>();
    ev(error->partial(), *error->expected());
    ev(r.at_eof());
    bool refused = false;
    try {
      (void)r.readexactly(-1);
    } catch (const ValueError&) {
      refused = true;
    }
    ev(refused);
    refused = false;
    try {
      r.feed_data("late");
    } catch (const RuntimeError&) {
      refused = true;
    }
    ev(refused);
    refused = false;
    try {
      StreamReader none(0);
    } catch (const ValueError&) {
      refused = true;
    }
    ev(refused);
  });
  CHECK(ev.str() == "b''\nb'abc' 5\nTrue\nTrue\nTrue\nTrue\n");
}

TEST_CASE("reader: cancelled at every read, no byte is lost") {
  // Each kind of read waits, gets half of what it needs, is cancelled; the rest is read afterwards.
  enum class Kind { some, exactly, line, until, all };
  for (const Kind kind : {Kind::some, Kind::exactly, Kind::line, Kind::until, Kind::all}) {
    CAPTURE(static_cast<int>(kind));
    std::string rest;
    bool cancelled = false;
    run([&]() -> Coro<> {
      StreamReader r;
      Task<std::string> t;
      switch (kind) {
        case Kind::some: t = create_task(r.read(100)); break;
        case Kind::exactly: t = create_task(r.readexactly(100)); break;
        case Kind::line: t = create_task(r.readline()); break;
        case Kind::until: t = create_task(r.readuntil("END")); break;
        case Kind::all: t = create_task(r.read()); break;
      }
      co_await ticks(1);
      if (kind != Kind::some) r.feed_data("first ");
      co_await ticks(2);
      // Data and the cancellation meet in one turn: the cancellation wins, the data stays.
      r.feed_data("second");
      t.cancel();
      cancelled = (co_await as_outcome(t)).cancelled();
      r.feed_eof();
      rest = co_await r.read();
    });
    CHECK(cancelled);
    CHECK(rest == (kind == Kind::some ? "second" : "first second"));
  }
}
