// What near-duplicates are found by: the signs of cosine transforms of parts of a thumbnail (src/vision/likeness/parts.ts), in the same sums as JavaScript's.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace patchstream {

// Pixels along a side of a thumbnail, and frequencies in each direction: of parts, and of the whole once more.
constexpr int32_t thumbnailSide = 32;
constexpr int32_t coarse = 8;
constexpr int32_t fine = 16;

// The parts, as JavaScript describes them.
struct Parts {
  // Of each interval along a side: its edges in quarters of pixels, and the share of each wave in each pixel, [32, 8].
  std::vector<int32_t> edges;
  std::vector<double> waves;
  // Of each part: the intervals that it takes across and down.
  std::vector<int32_t> intervals;
  // Of the whole side, [32, 16].
  std::vector<double> fineWaves;
  // So many coefficients of a part with content are more than noise.
  int32_t leastContent = 0;

  size_t count() const { return intervals.size() / 2; }
};

// Where the codes go, for each part.
struct PartCodes {
  uint64_t* plain;
  uint64_t* mirrored;
  uint8_t* content;
  // The coefficients of the first part.
  double* first;
  // The fine ones of the whole.
  double* fine;
};

// Of a thumbnail, [32, 32].
void codesOf(const Parts& parts, const uint8_t* thumbnail, const PartCodes& codes);

}  // namespace patchstream
