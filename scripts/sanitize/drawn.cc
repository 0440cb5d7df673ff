#include "drawn.h"

#include <algorithm>
#include <cstdlib>
#include <new>

namespace sanitize {

uint64_t Chance::next() {
  uint64_t z = state_ += 0x9e3779b97f4a7c15;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return z ^ (z >> 31);
}

uint32_t Chance::below(uint32_t n) { return static_cast<uint32_t>((next() >> 32) * n >> 32); }

thread_local long granted = -1;

}  // namespace sanitize

void* operator new(size_t size) {
  if (sanitize::granted >= 0 && sanitize::granted-- == 0) throw std::bad_alloc();
  void* memory = std::malloc(std::max<size_t>(size, 1));
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}
// libFuzzer asks so; what it does is not tried.
void* operator new(size_t size, const std::nothrow_t&) noexcept { return std::malloc(std::max<size_t>(size, 1)); }
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, size_t) noexcept { std::free(memory); }
