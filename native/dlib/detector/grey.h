#pragma once

#include <cstdint>

namespace patchstream {

// Luma, one byte a pixel, rows without gaps.
struct Grey {
  const uint8_t* pixels;
  int32_t width;
  int32_t height;
};

}  // namespace patchstream
