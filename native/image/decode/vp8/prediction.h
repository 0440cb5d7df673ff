#pragma once

#include <cstddef>
#include <cstdint>

#include "decode/vp8/coefficients.h"

#ifdef PATCHSTREAM_VP8

namespace patchstream::vp8 {

// Where a macroblock's pixels of one plane lie. To the left of `to` is the column that it is predicted from; `above` is the row over it, before the filter, with a
// pixel before it, and of luma four behind it.
struct Place {
  uint8_t* to;
  ptrdiff_t stride;
  const uint8_t* above;
};

// Which neighbours a macroblock has. The means of the others are left out; they count as 127 above, and as 129 to the left, for all else.
struct Sides {
  bool above;
  bool left;
};

// Pixels of a macroblock: what is predicted, and the differences from it (RFC 6386, 12 and 14). The coefficients are 0 afterwards.
void reconstruct(const Macroblock& macroblock, Sides sides, const Place& luma, const Place& u, const Place& v, Coefficients& coefficients);

}  // namespace patchstream::vp8

#endif
