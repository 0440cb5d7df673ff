#pragma once

#include <cstddef>
#include <cstdint>

namespace patchstream {

// Some rows and columns of a picture, which lie at (left, top) of it. RGB, or grey where channels is 1.
struct Region {
  const uint8_t* data = nullptr;
  ptrdiff_t stride = 0;
  int32_t left = 0;
  int32_t top = 0;
  int32_t width = 0;
  int32_t height = 0;
  int32_t channels = 3;
};

}  // namespace patchstream
