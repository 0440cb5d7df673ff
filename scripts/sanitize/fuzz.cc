// libFuzzer's door: the first eight bytes draw the job, the rest is the file.
#include <cstring>

#include "harness.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static patchstream::Renderer renderer;
  if (size < 8) return 0;
  uint64_t seed;
  std::memcpy(&seed, data, sizeof seed);
  sanitize::Chance chance(seed);
  sanitize::render(renderer, data + 8, size - 8, chance);
  return 0;
}
