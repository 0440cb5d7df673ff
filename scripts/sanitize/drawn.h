// What programs under sanitizers have in common: chance by seed, and memory that runs out when they say so.
#pragma once

#include <cstddef>
#include <cstdint>

namespace sanitize {

// A generator whose numbers are a function of the seed alone (splitmix64).
class Chance {
 public:
  explicit Chance(uint64_t seed) : state_(seed) {}
  uint64_t next();
  // Below n.
  uint32_t below(uint32_t n);
  bool oneIn(uint32_t n) { return below(n) == 0; }

 private:
  uint64_t state_;
};

// So many allocations of C++ are granted to this thread and the next is not; below zero, all are.
extern thread_local long granted;

}  // namespace sanitize
