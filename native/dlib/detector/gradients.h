#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "detector/grey.h"
#include "detector/planes.h"

namespace patchstream {

// Histograms of oriented gradients over cells of 8 × 8 pixels, as dlib makes them of a grey picture (P. Felzenszwalb, R. Girshick, D. McAllester,
// D. Ramanan: Object Detection with Discriminatively Trained Part Based Models, PAMI 2010): 18 signed directions, 9 unsigned ones, and the energies of
// four neighbourhoods. The numbers are dlib's, but for the order in which the pixels of a cell are summed up.
class Gradients {
 public:
  static constexpr long cell = 8;
  static constexpr size_t planes = 31;

  // The features of a picture, with a border of zeros so that a window of 10 × 10 cells may jut out: four cells above and to the left, five below and
  // to the right. They stay until the next call. Empty where the picture has less than three cells in a row or a column.
  Planes of(const Grey& picture);

 private:
  static constexpr long signedCount = 18;
  static constexpr long unsignedCount = 9;
  // The directions of a histogram, up to a multiple of four.
  static constexpr long padded = 20;
  static constexpr long before = 4;
  static constexpr long around = 9;

  void measure(const Grey& picture, long block);
  void collect();
  void lay(long row);
  void weigh(long row);
  void emit(long row);

  float* laid(long row, long direction) { return &laid_[((row & 1) * signedCount + direction) * across_]; }
  float* energies(long row) { return &energies_[(row & 1) * across_]; }
  float* limits(long row) { return &limits_[(row & 1) * across_]; }
  float* inverses(long row) { return &inverses_[(row & 1) * across_]; }

  // Cells of the picture.
  long down_ = 0;
  long across_ = 0;
  // Of eight rows of pixels, which lie between the middles of two rows of cells: how long each pixel's gradient is and where it points to. Both begin
  // four pixels to the left of the picture.
  long width_ = 0;
  long rows_ = 0;
  long firstRow_ = 0;
  std::vector<float> lengths_;
  std::vector<int32_t> directions_;
  // The histograms of the row of cells that is being completed and of the next, cell by cell.
  std::vector<float> current_;
  std::vector<float> next_;
  // Of the last two rows: the histograms direction by direction; the energies of cells; of four cells together, at which a direction is cut off and what
  // it is divided by.
  std::vector<float> laid_;
  std::vector<float> energies_;
  std::vector<float> limits_;
  std::vector<float> inverses_;
  std::array<std::vector<float>, 4> textures_;
  std::vector<float> planes_;
};

}  // namespace patchstream
