#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "decode/vp8/bools.h"
#include "decode/vp8/tables.h"

#ifdef PATCHSTREAM_VP8

namespace patchstream::vp8 {

constexpr size_t segments = 4;

// What the filter does to a macroblock. Nothing where `limit` is 0.
struct Strength {
  uint8_t limit = 0;
  uint8_t inner = 0;
  // From which difference on an edge is one of the picture's own.
  uint8_t edge = 0;
};

// How a block is predicted: from the mean, the gradient, the row above, the column to the left; and those of 4 × 4 alone, slanted: to the lower right, steeper and flatter, and to the
// lower left, steeper, and from the left upwards.
enum Mode : uint8_t { mean, gradient, vertical, horizontal, lowerRight, steepRight, lowerLeft, steepLeft, flatRight, upwards };

// What is known of 16 × 16 pixels before their coefficients (RFC 6386, 11).
struct Macroblock {
  uint8_t segment = 0;
  // Without coefficients.
  bool skipped = false;
  // Whether luma is predicted in blocks of 4 × 4, each by a mode of its own; else the first is that of all.
  bool inBlocks = false;
  uint8_t chroma = mean;
  std::array<uint8_t, 16> luma{};
};

enum class Filter : uint8_t { none, simple, normal };

// Factors of a block's first coefficient and of the others.
struct Factors {
  std::array<int16_t, 2> luma{};
  std::array<int16_t, 2> means{};
  std::array<int16_t, 2> chroma{};
};

// How likely a 0 is at each node, in the upper byte, for each place of a coefficient and each context.
struct Probabilities {
  static constexpr size_t perContext = 16;
  static constexpr size_t perPlace = contexts * perContext;
  std::array<uint16_t, 17 * perPlace> values{};
};

// What stands before the macroblocks of a key frame (RFC 6386, 9).
struct Header {
  int32_t width = 0;
  int32_t height = 0;
  bool hasSegments = false;
  bool mapsSegments = false;
  std::array<uint8_t, 3> segmentProbabilities{};
  Filter filter = Filter::none;
  // By segment, and whether a macroblock is predicted in blocks of 4 × 4.
  std::array<std::array<Strength, 2>, segments> strengths{};
  std::array<Factors, segments> factors{};
  std::array<Probabilities, kinds> probabilities{};
  bool maySkip = false;
  uint8_t skipProbability = 0;
  // Behind what is in this header there follow the modes of the macroblocks.
  Bools first;
  size_t partitions = 1;
  std::array<Bools, 8> coefficients{};

  // False where the frame, which is [frame, end), is not sound or unusual: libwebp judges it.
  bool read(const uint8_t* frame, const uint8_t* end);

  // Reads the macroblocks of the next row. `above` has four modes for each, those of the blocks above it, and gets those of this row.
  void readMacroblocks(uint8_t* above, Macroblock* row, size_t count);

 private:
  struct Segments;
  struct Filtering;
  bool readPartitions(const uint8_t* from, const uint8_t* end);
  void readFactors(const Segments& chosen);
  void readProbabilities();
  void setStrengths(const Segments& chosen, const Filtering& filtering);
};

}  // namespace patchstream::vp8

#endif
