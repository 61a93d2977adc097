// What a stranger writes against an installed brio.
#include <brio/core/exceptions.hpp>

#include <cstdio>

int main() {
  try {
    brio::throw_oserror(2, "open nothing");
  } catch (const brio::FileNotFoundError& error) {
    std::puts(error.what());
    return 0;
  }
  return 1;
}
