#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "decode/vp8/colour.h"
#include "decode/vp8/filter.h"
#include "pixels/buffer.h"

#ifdef PATCHSTREAM_VP8

namespace patchstream::vp8 {

// Part of a picture, which begins at an even column and row.
struct Part {
  int32_t left;
  int32_t top;
  int32_t width;
  int32_t height;
};

// `unsure`: libwebp is to judge.
enum class Outcome { well, stopped, unsure };

// Decodes lossy WebPs without alpha, to the bit as libwebp does, in less time: arithmetic codes are read out of registers, vectors are wider, and nothing is made of the pixels to the
// right of the part on which no pixel of it depends. What is damaged, cut or unusual is not judged here.
class Decoder {
 public:
  // Whether this machine can.
  static bool serves();

  // The part as RGB, `stride` bytes a row. `width` and `height` are what the picture's file says.
  Outcome decode(const uint8_t* file, size_t length, int32_t width, int32_t height, const Part& part, const std::atomic<bool>& stop, uint8_t* rgb, ptrdiff_t stride);

  void trim(size_t most);

 private:
  // Two rows of macroblocks of one plane, in turns, and the last row of pixels above them before the filter.
  class Ring {
   public:
    void begin(int32_t side, int32_t across);
    uint8_t* row(int32_t y) { return pixels_.data() + ((y / side_ & 1) * side_ + y % side_) * stride_ + border; }
    Place placeOf(int32_t x, int32_t y) { return {row(y * side_) + x * side_, stride_, above_.data() + border + x * side_}; }
    Plane planeOf(int32_t x, int32_t y) { return {row(y * side_) + x * side_, row(y > 0 ? y * side_ - 4 : 0) + x * side_, stride_}; }
    // Keeps the last pixels of a row of macroblocks, before they are filtered.
    void keep(int32_t y);
    void trim(size_t most);

   private:
    // To the left of a row there is the column that the first macroblock is predicted from; vectors read and write beyond both ends.
    static constexpr ptrdiff_t border = 32;

    Buffer pixels_;
    Buffer above_;
    int32_t side_ = 0;
    ptrdiff_t width_ = 0;
    ptrdiff_t stride_ = 0;
  };

  // In macroblocks: how many there are in a row, how many rows are read, and which are filtered.
  struct Extent {
    int32_t across;
    int32_t rows;
    int32_t left;
    int32_t top;
    int32_t right;
  };

  Extent extentOf(const Part& part) const;
  // False where the file does not have them.
  bool readModes(const Extent& extent, const std::atomic<bool>& stop);
  void findEnds(const Extent& extent);
  bool decodeRow(const Extent& extent, int32_t y);
  void smoothRow(const Extent& extent, int32_t y);

  Header header_;
  Coefficients coefficients_;
  Ring luma_;
  Ring u_;
  Ring v_;
  std::vector<Macroblock> macroblocks_;
  std::vector<uint8_t> modes_;
  std::vector<Neighbours> neighbours_;
  // By row: how many macroblocks from the left on something depends on.
  std::vector<int32_t> ends_;
  Colours colours_;
};

}  // namespace patchstream::vp8

#endif
