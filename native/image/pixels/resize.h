#pragma once

#include <cstddef>
#include <cstdint>

#include "pixels/taps.h"

namespace patchstream {

// The two passes of the separable resize, over bytes. Both round to bytes; sums are of integers and exact, so every form gives the same bits.
struct Passes {
  // out[x] = sum over k of weights[k] * rows[k * stride + x], for x in [0, bytes). Reads nothing beyond the rows.
  void (*vertical)(const uint8_t* rows, ptrdiff_t stride, const int16_t* weights, int32_t taps, int32_t shift, uint8_t* out, int32_t bytes);
  // RGB to RGB: `row` begins at the pixel 0 of the taps. May read Buffer::margin bytes beyond the row, and writes exactly count * 3 bytes.
  void (*horizontal)(const uint8_t* row, const Taps& taps, uint8_t* out);
};

// As `horizontal`, of a row of luma.
void horizontalGrey(const uint8_t* row, const Taps& taps, uint8_t* out);

extern const Passes portablePasses;
// Absent where the machine has no AVX2.
const Passes* avx2Passes();
// The fastest this machine has.
const Passes& passes();
// For comparisons: takes the portable ones, until called with false; decoders that have a plain form take it as well.
void usePortablePasses(bool portable);
bool arePassesPortable();

}  // namespace patchstream
