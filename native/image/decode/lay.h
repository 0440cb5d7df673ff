#pragma once

#include <cstdint>

namespace patchstream {

// Lays pixels of `channels` (2: grey and alpha, 4: RGB and alpha) on a colour, 0xRRGGBB: RGB in `out`, rounded to the nearest.
inline void layOn(const uint8_t* from, int32_t pixels, int32_t channels, int32_t background, uint8_t* out) {
  const uint32_t under[] = {uint32_t(background >> 16) & 255, uint32_t(background >> 8) & 255, uint32_t(background) & 255};
  for (int32_t i = 0; i < pixels; i++, from += channels, out += 3) {
    const uint32_t alpha = from[channels - 1];
    for (int32_t channel = 0; channel < 3; channel++) {
      const uint32_t above = channels == 2 ? from[0] : from[channel];
      out[channel] = static_cast<uint8_t>((above * alpha + under[channel] * (255 - alpha) + 127) / 255);
    }
  }
}

}  // namespace patchstream
