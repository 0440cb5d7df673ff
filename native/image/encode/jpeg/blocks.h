#pragma once

#include <cstddef>
#include <cstdint>

#include "encode/encoding.h"
#include "encode/jpeg/packer.h"
#include "encode/jpeg/transform.h"
#include "pixels/buffer.h"

namespace patchstream {

// A picture's quantised coefficients, in vectors of AVX-512: colours, halved colours, the slow and exact cosine transform and quantisation as libjpeg has them, to the
// bit. libjpeg's vectors are half as wide, and are called for each step of each block; together they take twice as long.
class JpegBlocks {
 public:
  static bool canServe();

  // `luma` and `chroma` are the divisors of 64 coefficients, row by row. Throws std::bad_alloc.
  void begin(const Page& page, bool subsampled, const uint16_t* luma, const uint16_t* chroma);

  // Rows of the smallest parts that a picture is packed in.
  int32_t rows() const { return (page_.height + partSide_ - 1) / partSide_; }

  // Gives the packer all blocks of a row of parts, in order.
  void add(int32_t row, JpegPacker& packer);

  void trim(size_t most) {
    planes_.trim(most);
    coefficients_.trim(most);
  }

 private:
  void makePlanes(int32_t row);

  Page page_{};
  bool halved_ = false;
  int32_t partSide_ = 8;
  // Of a row of pixels in `planes_`, in which it goes on with its last pixel.
  size_t stride_ = 0;
  Divisors luma_;
  Divisors chroma_;
  // A row of parts: luma, both colours, and both colours in half of the rows and columns.
  Buffer planes_;
  Buffer coefficients_;
};

}  // namespace patchstream
