#pragma once

#include <cstdint>

namespace patchstream {

// Pixels of a page looked up in an RGB picture: place (u, v) of the page, whose pixels have their middles at halves, is place (m[0]·u + m[1]·v + m[2],
// m[3]·u + m[4]·v + m[5]) of the picture. Bicubic; what lies outside of the picture has the colour of the background, 0xRRGGBB.
struct Warp {
  const uint8_t* pixels;
  int32_t width;
  int32_t height;
  const float* matrix;
  int32_t background;

  // Writes `count` pixels of row `row`, from column `first` on, or mirrored up to it.
  void draw(int32_t row, int32_t first, int32_t count, bool mirrored, uint8_t* out) const;
};

}  // namespace patchstream
