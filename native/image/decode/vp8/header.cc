#include "decode/vp8/header.h"

#ifdef PATCHSTREAM_VP8

#include <algorithm>

namespace patchstream::vp8 {

namespace {

constexpr ptrdiff_t tagBytes = 10;
constexpr ptrdiff_t sizeBytes = 3;

uint32_t littleEndian(const uint8_t* from) { return from[0] | uint32_t{from[1]} << 8 | uint32_t{from[2]} << 16; }

template <typename Values>
int16_t factorAt(const Values& values, int32_t index, int32_t most = 127) {
  return static_cast<int16_t>(values[static_cast<size_t>(std::clamp(index, 0, most))]);
}

}  // namespace

const Ranges ranges;

struct Header::Segments {
  bool absolute = true;
  std::array<int32_t, segments> quantisers{};
  std::array<int32_t, segments> levels{};

  void read(Bools& bools) {
    absolute = flag(bools);
    for (int32_t& quantiser : quantisers) quantiser = optionalNumber(bools, 7);
    for (int32_t& level : levels) level = optionalNumber(bools, 6);
  }
};

struct Header::Filtering {
  bool simple = false;
  int32_t level = 0;
  int32_t sharpness = 0;
  bool differs = false;
  // Of key frames, and of macroblocks in blocks of 4 × 4.
  int32_t frameDifference = 0;
  int32_t blockDifference = 0;

  void read(Bools& bools) {
    simple = flag(bools);
    level = number(bools, 6);
    sharpness = number(bools, 3);
    differs = flag(bools);
    if (!differs || !flag(bools)) return;
    // Of the four in each group only the first is a key frame's.
    for (int32_t* const first : {&frameDifference, &blockDifference}) {
      for (int i = 0; i < 4; i++) {
        const bool changes = flag(bools);
        const int32_t difference = changes ? signedNumber(bools, 6) : 0;
        if (i == 0 && changes) *first = difference;
      }
    }
  }
};

bool Header::read(const uint8_t* frame, const uint8_t* end) {
  if (end - frame <= tagBytes) return false;
  const uint32_t tag = littleEndian(frame);
  const bool known = (tag & 1) == 0 && ((tag >> 1) & 7) <= 3 && ((tag >> 4) & 1) == 1;
  if (!known || frame[3] != 0x9d || frame[4] != 0x01 || frame[5] != 0x2a) return false;
  width = (frame[6] | frame[7] << 8) & 0x3fff;
  height = (frame[8] | frame[9] << 8) & 0x3fff;
  const auto firstBytes = static_cast<ptrdiff_t>(tag >> 5);
  const uint8_t* const behind = frame + tagBytes;
  if (firstBytes >= end - behind) return false;
  first = Bools(behind, behind + firstBytes);
  if (!first.isSound()) return false;
  // The colour space, and whether sums must be clipped; libwebp always does.
  number(first, 2);
  Segments chosen;
  hasSegments = flag(first);
  mapsSegments = hasSegments && flag(first);
  if (hasSegments && flag(first)) chosen.read(first);
  for (uint8_t& probability : segmentProbabilities) probability = mapsSegments && flag(first) ? static_cast<uint8_t>(number(first, 8)) : 255;
  Filtering filtering;
  filtering.read(first);
  partitions = size_t{1} << number(first, 2);
  if (!readPartitions(behind + firstBytes, end)) return false;
  readFactors(chosen);
  setStrengths(chosen, filtering);
  // Whether the probabilities also hold for later frames.
  flag(first);
  readProbabilities();
  maySkip = flag(first);
  skipProbability = maySkip ? static_cast<uint8_t>(number(first, 8)) : 0;
  return !first.isBeyond();
}

bool Header::readPartitions(const uint8_t* from, const uint8_t* end) {
  const auto sizes = static_cast<ptrdiff_t>(partitions - 1) * sizeBytes;
  if (sizes >= end - from) return false;
  const uint8_t* at = from + sizes;
  for (size_t i = 0; i < partitions; i++, from += sizeBytes) {
    const ptrdiff_t size = i + 1 < partitions ? static_cast<ptrdiff_t>(littleEndian(from)) : end - at;
    if (size > end - at) return false;
    coefficients[i] = Bools(at, at + size);
    if (!coefficients[i].isSound()) return false;
    at += size;
  }
  return coefficients[partitions - 1].at < end;
}

void Header::readFactors(const Segments& chosen) {
  const int32_t base = number(first, 7);
  const int32_t lumaMean = optionalNumber(first, 4);
  const int32_t mean = optionalNumber(first, 4);
  const int32_t other = optionalNumber(first, 4);
  const int32_t chromaMean = optionalNumber(first, 4);
  const int32_t chroma = optionalNumber(first, 4);
  for (size_t i = 0; i < segments; i++) {
    int32_t index = base;
    if (hasSegments) index = chosen.quantisers[i] + (chosen.absolute ? 0 : base);
    Factors& to = factors[i];
    to.luma = {factorAt(meanFactors, index + lumaMean), factorAt(otherFactors, index)};
    const int32_t scaled = factorAt(otherFactors, index + other) * 155 / 100;
    to.means = {static_cast<int16_t>(2 * factorAt(meanFactors, index + mean)), static_cast<int16_t>(std::max(8, scaled))};
    to.chroma = {factorAt(meanFactors, index + chromaMean, 117), factorAt(otherFactors, index + chroma)};
  }
}

void Header::setStrengths(const Segments& chosen, const Filtering& filtering) {
  filter = filtering.level == 0 ? Filter::none : filtering.simple ? Filter::simple : Filter::normal;
  for (size_t i = 0; i < segments; i++) {
    int32_t base = filtering.level;
    if (hasSegments) base = chosen.levels[i] + (chosen.absolute ? 0 : filtering.level);
    for (size_t blocks = 0; blocks < 2; blocks++) {
      int32_t level = base;
      if (filtering.differs) level += filtering.frameDifference + (blocks == 1 ? filtering.blockDifference : 0);
      level = std::clamp(level, 0, 63);
      int32_t inner = level;
      if (filtering.sharpness > 0) inner = std::min(inner >> (filtering.sharpness > 4 ? 2 : 1), 9 - filtering.sharpness);
      inner = std::max(inner, 1);
      const int32_t edge = level >= 40 ? 2 : level >= 15 ? 1 : 0;
      strengths[i][blocks] = {};
      if (level > 0) strengths[i][blocks] = {static_cast<uint8_t>(2 * level + inner), static_cast<uint8_t>(inner), static_cast<uint8_t>(edge)};
    }
  }
}

void Header::readProbabilities() {
  size_t i = 0;
  std::array<std::array<std::array<std::array<uint8_t, nodes>, contexts>, bands>, kinds> known;
  for (auto& kind : known) {
    for (auto& band : kind) {
      for (auto& context : band) {
        for (uint8_t& value : context) {
          need(first);
          const bool changes = bit(first, changeProbabilities[i]) != 0;
          value = changes ? static_cast<uint8_t>(number(first, 8)) : defaultProbabilities[i];
          i++;
        }
      }
    }
  }
  for (size_t kind = 0; kind < kinds; kind++) {
    for (size_t place = 0; place < bandOf.size(); place++) {
      for (size_t context = 0; context < contexts; context++) {
        uint16_t* const to = &probabilities[kind].values[place * Probabilities::perPlace + context * Probabilities::perContext];
        for (size_t node = 0; node < nodes; node++) to[node] = static_cast<uint16_t>(known[kind][bandOf[place]][context][node] << 8);
      }
    }
  }
}

}  // namespace patchstream::vp8

#endif
