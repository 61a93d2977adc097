#include "injected_streams.hpp"

using namespace brio;
using namespace brio::tests;

TEST_CASE("cancellation: streams, every kind of read") { injected::check_reading({}); }

TEST_CASE("cancellation: streams, drain and wait_closed") { injected::check_writing({}); }

TEST_CASE("cancellation: streams, servers and connections opened and closed") {
  injected::check_opening({});
}

TEST_CASE("cancellation: Unix streams, every kind of read") {
  injected::check_reading({.unix_socket = true});
}

TEST_CASE("cancellation: Unix streams, drain and wait_closed") {
  injected::check_writing({.unix_socket = true});
}

TEST_CASE("cancellation: Unix streams, servers and connections opened and closed") {
  injected::check_opening({.unix_socket = true});
}
