#pragma once

#include <cstddef>
#include <cstdint>

#include "decode/vp8/prediction.h"

#ifdef PATCHSTREAM_VP8

namespace patchstream::vp8 {

// Where a macroblock's pixels lie that the filter changes; `above` is the first of the four rows over them.
struct Plane {
  uint8_t* at;
  uint8_t* above;
  ptrdiff_t stride;
};

// Smooths the edges between a macroblock and those to its left and above, where there are some, and, with `inner`, those within it (RFC 6386, 15). May read and write
// back four pixels to the right of it.
void smooth(Filter kind, const Strength& strength, bool inner, Sides sides, const Plane& luma, const Plane& u, const Plane& v);

}  // namespace patchstream::vp8

#endif
