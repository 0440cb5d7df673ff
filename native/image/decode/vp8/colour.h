#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "decode/vp8/bools.h"

#ifdef PATCHSTREAM_VP8

namespace patchstream::vp8 {

// A row of one chroma plane, and the other row next to the row of luma, which weighs a third.
struct ChromaRow {
  const uint8_t* near;
  const uint8_t* far;
};

// Makes RGB of luma and of chroma that is half as fine, to the bit what libwebp makes.
class Colours {
 public:
  // `width` pixels, of which the first begins a pair. Reads up to 16 bytes behind a row, and writes exactly the pixels.
  void row(const uint8_t* luma, const ChromaRow& u, const ChromaRow& v, int32_t width, uint8_t* rgb);

 private:
  std::vector<int16_t> u_;
  std::vector<int16_t> v_;
};

}  // namespace patchstream::vp8

#endif
