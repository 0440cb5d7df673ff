// Runs the texts of native/torch/cuda on the host. A block's threads are fibers that go on by turns; a barrier is where a fiber gives its turn away until all of
// its group have come. Each warp goes as far as it can before the next has its turn. Blocks run one after another, so what they share can be static.
// Every launch is done in both orders of warps and threads: where a barrier is missing, the two differ.
#pragma once

#include <ucontext.h>

#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <memory>
#include <random>
#include <string>
#include <vector>

#define __device__
#define __global__
#define __shared__ static
#define __align__(bytes) __attribute__((aligned(bytes)))
#define __launch_bounds__(threads)
#define __restrict__

using std::max;
using std::min;

struct float2 {
  float x, y;
};
struct float4 {
  float x, y, z, w;
};
struct uint4 {
  unsigned x, y, z, w;
};
inline float2 make_float2(float x, float y) { return {x, y}; }
inline float4 make_float4(float x, float y, float z, float w) { return {x, y, z, w}; }
inline uint4 make_uint4(unsigned x, unsigned y, unsigned z, unsigned w) { return {x, y, z, w}; }
struct Dim {
  unsigned x = 1, y = 1, z = 1;
};

inline float __uint_as_float(unsigned bits) {
  float x;
  std::memcpy(&x, &bits, sizeof x);
  return x;
}
inline unsigned __float_as_uint(float x) {
  unsigned bits;
  std::memcpy(&bits, &x, sizeof bits);
  return bits;
}

namespace host {

struct Group {
  unsigned members = 0, arrived = 0, generation = 0;
  double lanes[32][16];  // what they hand each other, in a warp
};

struct Fiber {
  ucontext_t context;
  Dim place;
  unsigned number = 0;
  bool ended = false;
  std::vector<char> stack = std::vector<char>(128 * 1024);
};

inline std::vector<std::unique_ptr<Fiber>> fibers;
inline std::vector<Group> warps;
inline Group block;
inline Fiber* current = nullptr;
inline ucontext_t scheduler;
inline unsigned changes = 0;
inline std::function<void()> work;

inline void release(Group& group) {
  if (group.arrived == 0 || group.arrived < group.members) return;
  group.arrived = 0;
  group.generation++;
  changes++;
}

inline void wait(Group& group) {
  const unsigned mine = group.generation;
  group.arrived++;
  release(group);
  while (group.generation == mine) swapcontext(&current->context, &scheduler);
}

inline Group& warp() { return warps[current->number / 32]; }
inline unsigned lane() { return current->number % 32; }

inline void enter() {
  work();
  current->ended = true;
  changes++;
  for (Group* group : {&block, &warp()}) {
    group->members--;
    release(*group);
  }
}

inline void runBlock(Dim threads, bool backwards) {
  const unsigned count = threads.x * threads.y * threads.z;
  block = Group{};
  block.members = count;
  warps.assign((count + 31) / 32, Group{});
  while (fibers.size() < count) fibers.push_back(std::make_unique<Fiber>());
  for (unsigned i = 0; i < count; i++) {
    Fiber& fiber = *fibers[i];
    fiber.number = i;
    fiber.place = {i % threads.x, i / threads.x % threads.y, i / (threads.x * threads.y)};
    fiber.ended = false;
    warps[i / 32].members++;
    getcontext(&fiber.context);
    fiber.context.uc_stack.ss_sp = fiber.stack.data();
    fiber.context.uc_stack.ss_size = fiber.stack.size();
    fiber.context.uc_link = &scheduler;
    makecontext(&fiber.context, enter, 0);
  }
  const auto warpCount = static_cast<unsigned>(warps.size());
  for (bool open = true; open;) {
    open = false;
    const unsigned before = changes;
    for (unsigned w = 0; w < warpCount; w++) {
      const unsigned first = 32 * (backwards ? warpCount - 1 - w : w), last = min(count, first + 32);
      // A warp goes on until it waits for the others.
      for (unsigned seen = changes - 1; seen != changes;) {
        seen = changes;
        for (unsigned i = first; i < last; i++) {
          current = fibers[backwards ? last - 1 - (i - first) : i].get();
          if (current->ended) continue;
          open = true;
          swapcontext(&scheduler, &current->context);
        }
      }
    }
    if (open && changes == before) {
      std::puts("a barrier that not all threads come to");
      std::exit(2);
    }
  }
}

}  // namespace host

inline Dim gridDim, blockDim, blockIdx;
#define threadIdx (host::current->place)

inline void __syncthreads() { host::wait(host::block); }
inline void __syncwarp() { host::wait(host::warp()); }

template <class Number>
Number __shfl_xor_sync(unsigned, Number x, int apart) {
  host::Group& warp = host::warp();
  warp.lanes[host::lane()][0] = x;
  host::wait(warp);
  const auto found = static_cast<Number>(warp.lanes[host::lane() ^ apart][0]);
  host::wait(warp);
  return found;
}

// Runs a kernel over a grid, twice: `again` puts back what it changes. Answers whether `result` was the same.
template <class Result>
bool launch(Dim grid, Dim threads, const std::function<void()>& again, const std::function<void()>& kernel, const std::function<Result()>& result) {
  Result first{};
  for (const bool backwards : {true, false}) {
    again();
    gridDim = grid;
    blockDim = threads;
    host::work = kernel;
    for (unsigned z = 0; z < grid.z; z++)
      for (unsigned y = 0; y < grid.y; y++)
        for (unsigned x = 0; x < grid.x; x++) {
          blockIdx = {x, y, z};
          host::runBlock(threads, backwards);
        }
    if (backwards) first = result();
  }
  const Result last = result();
  return first == last;
}

// Numbers like those of a normal distribution, the same each time.
inline std::vector<float> numbers(size_t count, float scale = 1, unsigned seed = 1) {
  std::mt19937 generator(seed);
  std::normal_distribution<float> normal(0, scale);
  std::vector<float> all(count);
  for (float& x : all) x = normal(generator);
  return all;
}

// ‖found − wanted‖ / ‖wanted‖.
template <class Found>
double apart(const Found& found, const std::vector<double>& wanted) {
  double difference = 0, norm = 0;
  for (size_t i = 0; i < wanted.size(); i++) {
    difference += (found[i] - wanted[i]) * (found[i] - wanted[i]);
    norm += wanted[i] * wanted[i];
  }
  return std::sqrt(difference / norm);
}

// One line of the answer: what, how far from float64, and whether both orders agreed.
inline void tell(const std::string& what, double difference, bool same = true) {
  std::printf("%s\t%g\t%s\n", what.c_str(), difference, same ? "same" : "differs");
}
