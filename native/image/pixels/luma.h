#pragma once

#include <cstdint>

namespace patchstream {

// Luma of sRGB as JPEG defines it, in the integers of libjpeg.
inline uint8_t lumaOf(int32_t red, int32_t green, int32_t blue) {
  return static_cast<uint8_t>((19595 * red + 38470 * green + 7471 * blue + 32768) >> 16);
}

}  // namespace patchstream
