#include "decode/vp8/header.h"

#ifdef PATCHSTREAM_VP8

#include <cstring>

namespace patchstream::vp8 {

namespace {

// `next` by a byte.
VP8_INLINED bool isOne(Bools& bools, uint32_t probability) { return next(bools, probability << 8); }

VP8_INLINED uint8_t blockMode(Bools& bools, const uint8_t* probabilities) {
  need(bools);
  if (!isOne(bools, probabilities[0])) return mean;
  if (!isOne(bools, probabilities[1])) return gradient;
  if (!isOne(bools, probabilities[2])) return vertical;
  const bool slanted = isOne(bools, probabilities[3]);
  need(bools);
  if (!slanted) {
    if (!isOne(bools, probabilities[4])) return horizontal;
    return isOne(bools, probabilities[5]) ? steepRight : lowerRight;
  }
  if (!isOne(bools, probabilities[6])) return lowerLeft;
  if (!isOne(bools, probabilities[7])) return steepLeft;
  return isOne(bools, probabilities[8]) ? upwards : flatRight;
}

VP8_INLINED void blockModes(Bools& bools, uint8_t* above, uint8_t* left, uint8_t* to) {
  for (size_t y = 0; y < 4; y++) {
    for (size_t x = 0; x < 4; x++) {
      const size_t place = static_cast<size_t>(above[x] * modes + left[y]) * (modes - 1);
      const uint8_t mode = blockMode(bools, &modeProbabilities[place]);
      above[x] = mode;
      left[y] = mode;
      to[4 * y + x] = mode;
    }
  }
}

VP8_INLINED uint8_t wholeMode(Bools& bools) {
  if (!isOne(bools, 156)) return isOne(bools, 163) ? vertical : mean;
  return isOne(bools, 128) ? gradient : horizontal;
}

VP8_INLINED uint8_t chromaMode(Bools& bools) {
  if (!isOne(bools, 142)) return mean;
  if (!isOne(bools, 114)) return vertical;
  return isOne(bools, 183) ? gradient : horizontal;
}

}  // namespace

VP8_VECTORS void Header::readMacroblocks(uint8_t* above, Macroblock* row, size_t count) {
  Bools bools = first;
  std::array<uint8_t, 4> left{};
  for (size_t x = 0; x < count; x++, above += 4) {
    Macroblock& macroblock = row[x];
    need(bools);
    macroblock.segment = 0;
    if (mapsSegments) {
      const auto& probabilities = segmentProbabilities;
      const bool upper = isOne(bools, probabilities[0]);
      macroblock.segment = static_cast<uint8_t>(upper ? 2 + isOne(bools, probabilities[2]) : isOne(bools, probabilities[1]));
    }
    macroblock.skipped = maySkip && isOne(bools, skipProbability);
    macroblock.inBlocks = !isOne(bools, 145);
    need(bools);
    if (macroblock.inBlocks) {
      blockModes(bools, above, left.data(), macroblock.luma.data());
    } else {
      const uint8_t mode = wholeMode(bools);
      macroblock.luma[0] = mode;
      std::memset(above, mode, 4);
      left.fill(mode);
    }
    need(bools);
    macroblock.chroma = chromaMode(bools);
  }
  first = bools;
}

}  // namespace patchstream::vp8

#endif
