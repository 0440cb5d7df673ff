#pragma once

#include <cstddef>
#include <cstdint>

namespace patchstream {

// Whether this build undoes PNG's filters faster than libpng: Debian's libpng has no vector code for x86-64.
#if defined(__x86_64__)
#define PATCHSTREAM_UNFILTER
#endif

#ifdef PATCHSTREAM_UNFILTER

// What is read and written beyond a row: vectors are loaded and stored whole.
constexpr size_t unfilterMargin = 16;

// Undoes a filter of the PNG standard, 0 to 4: the first `bytes` bytes of a row of pixels of `channels` bytes, 1 to 4, from what is stored and the row above.
// All three lie apart, with `unfilterMargin` bytes behind each.
void unfilter(uint8_t filter, const uint8_t* stored, const uint8_t* above, uint8_t* row, size_t bytes, int32_t channels);

#endif

}  // namespace patchstream
