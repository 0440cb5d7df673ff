#pragma once

#include <cstdint>

namespace patchstream {

// Turns the hue of RGB pixels by `shift` of 256 parts. As src/vision/effects/hue.ts.
void turnHue(const uint8_t* row, int32_t count, int32_t shift, uint8_t* out);

}  // namespace patchstream
