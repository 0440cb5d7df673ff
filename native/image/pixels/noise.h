#pragma once

#include <cstdint>

namespace patchstream {

// Normal noise of ImageNet's mean and spread in uint8 RGB: `count` values of the row `row` of the stream with that key. As src/vision/effects/noise.ts.
void drawNoise(uint32_t key0, uint32_t key1, int32_t row, int32_t count, uint8_t* out);

}  // namespace patchstream
