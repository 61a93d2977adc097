// The frame pool: blocks of each size, and blocks that end on another thread than they began.
#include <brio/core/detail/frame_pool.hpp>

#include <doctest/doctest.h>

#include <cstdint>
#include <cstring>
#include <thread>
#include <utility>
#include <vector>

using brio::detail::FramePool;

TEST_CASE("a block of every size holds what it is asked to hold") {
  std::vector<std::pair<void*, std::size_t>> blocks;
  for (std::size_t size = 1; size <= 1100; ++size) {
    void* block = FramePool::allocate(size);
    CHECK(reinterpret_cast<std::uintptr_t>(block) % __STDCPP_DEFAULT_NEW_ALIGNMENT__ == 0);
    std::memset(block, static_cast<int>(size & 0xff), size);
    blocks.emplace_back(block, size);
  }
  for (const auto& [block, size] : blocks) {
    const auto* bytes = static_cast<const unsigned char*>(block);
    CHECK(bytes[0] == (size & 0xff));
    CHECK(bytes[size - 1] == (size & 0xff));
    FramePool::deallocate(block, size);
  }
}

TEST_CASE("more blocks than a thread may keep go round") {
  for (int round = 0; round < 3; ++round) {
    std::vector<void*> blocks;
    for (int i = 0; i < 10'000; ++i) blocks.push_back(FramePool::allocate(200));
    for (void* block : blocks) FramePool::deallocate(block, 200);
  }
}

TEST_CASE("a block may be freed on another thread, and threads end with blocks in hand") {
  for (int round = 0; round < 4; ++round) {
    std::vector<void*> handed;
    std::thread([&] {
      for (int i = 0; i < 500; ++i) handed.push_back(FramePool::allocate(100));
      for (int i = 0; i < 500; ++i) FramePool::deallocate(FramePool::allocate(300), 300);
    }).join();
    for (void* block : handed) FramePool::deallocate(block, 100);
  }
}

TEST_CASE("threads exchange blocks at the same time") {
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([i] {
      std::vector<void*> blocks;
      for (int round = 0; round < 50; ++round) {
        for (int n = 0; n < 200 + 50 * i; ++n) blocks.push_back(FramePool::allocate(64));
        for (void* block : blocks) FramePool::deallocate(block, 64);
        blocks.clear();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}
