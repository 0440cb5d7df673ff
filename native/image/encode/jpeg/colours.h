#pragma once

#include <cstddef>
#include <cstdint>

namespace patchstream {

// A row of RGB as luma and both colours, where the machine is wide (wide.h). Up to 63 bytes beyond each row are written to.
void convertRow(const uint8_t* rgb, int32_t width, uint8_t* luma, uint8_t* cb, uint8_t* cr);

// Two rows of `width` pixels, which fills whole vectors, as one of half as many: the means of four, halves rounded down and up in turns.
void halve(const uint8_t* one, const uint8_t* other, size_t width, uint8_t* to);

}  // namespace patchstream
