#include "injected_streams.hpp"

using namespace brio;
using namespace brio::tests;

TEST_CASE("cancellation: streams, every kind of read") { injected::check_reading({}); }

TEST_CASE("cancellation: streams, drain and wait_closed") { injected::check_writing({}); }

TEST_CASE("cancellation: streams, servers and connections opened and closed") {
  injected::check_opening({});
}
