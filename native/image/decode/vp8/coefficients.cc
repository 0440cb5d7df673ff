#include "decode/vp8/coefficients.h"

#ifdef PATCHSTREAM_VP8

#include <algorithm>
#include <cstdlib>

namespace patchstream::vp8 {

namespace {

// Up to here sums within a transform fit into 16 bits where only the first three coefficients are not 0; pictures have a quarter of that.
constexpr int32_t most = 8191;
constexpr int32_t mostMean = 32767;
// A coefficient below this is below `most`, whatever its factor.
constexpr int32_t large = 11;

// Kinds of blocks: luma without its mean, the means, chroma, luma with its mean.
enum Kind : size_t { lumaRest, lumaMeans, chromaBlock, lumaWhole };

// Bits of the four largest ranges of values, from the highest.
constexpr std::array<std::array<uint8_t, 12>, 4> extra = {
    {{173, 148, 140}, {176, 155, 140, 135}, {180, 157, 141, 134, 130}, {254, 254, 243, 230, 196, 177, 153, 140, 133, 130, 129}}};

VP8_INLINED int32_t valueAbove1(Bools& bools, const uint16_t* nodes) {
  fill(bools);
  if (!next(bools, nodes[3])) {
    if (!next(bools, nodes[4])) return 2;
    return static_cast<int32_t>(3 + bit(bools, nodes[5] >> 8));
  }
  if (!next(bools, nodes[6])) {
    if (!next(bools, nodes[7])) return static_cast<int32_t>(5 + bit(bools, 159));
    const uint32_t two = bit(bools, 165);
    return static_cast<int32_t>(7 + 2 * two + bit(bools, 145));
  }
  const size_t upper = next(bools, nodes[8]) ? 2 : 0;
  const size_t range = upper + (next(bools, nodes[upper == 0 ? 9 : 10]) ? 1 : 0);
  int32_t value = 0;
  for (const uint8_t* probability = extra[range].data(); *probability != 0; probability++) {
    need(bools);
    value = 2 * value + static_cast<int32_t>(bit(bools, *probability));
  }
  return value + 3 + (8 << range);
}

// One block, from coefficient `place` on. Answers where it ends: behind its last coefficient.
VP8_INLINED int block(Bools& bools, const Probabilities& probabilities, size_t context, int place, const std::array<int16_t, 2>& factors, int16_t* to, int32_t& highest) {
  const uint16_t* at = probabilities.values.data() + static_cast<size_t>(place) * Probabilities::perPlace;
  const uint16_t* nodes = at + context * Probabilities::perContext;
  need(bools);
  // No other coefficient follows.
  if (!next(bools, nodes[0])) return place;
  for (;;) {
    while (!next(bools, nodes[1])) {
      nodes = at += Probabilities::perPlace;
      if (++place == perBlock) return perBlock;
      need(bools);
    }
    at += Probabilities::perPlace;
    const int32_t factor = factors[place > 0];
    if (!next(bools, nodes[2])) {
      to[places[static_cast<size_t>(place)]] = static_cast<int16_t>(withSign(bools, factor));
      nodes = at + Probabilities::perContext;
    } else {
      const int32_t value = valueAbove1(bools, nodes);
      if (value >= large && value * factor > highest) highest = value * factor;
      to[places[static_cast<size_t>(place)]] = static_cast<int16_t>(withSign(bools, value) * factor);
      nodes = at + 2 * Probabilities::perContext;
    }
    if (++place == perBlock) return perBlock;
    need(bools);
    if (!next(bools, nodes[0])) return place;
  }
}

// Sixteen means, of which each becomes the first coefficient of a block (14.3). Answers the largest.
int32_t spreadMeans(const int16_t* means, int16_t* to) {
  std::array<int32_t, perBlock> columns{};
  for (size_t i = 0; i < 4; i++) {
    const int32_t outer = means[i] + means[12 + i];
    const int32_t inner = means[4 + i] + means[8 + i];
    const int32_t innerLess = means[4 + i] - means[8 + i];
    const int32_t outerLess = means[i] - means[12 + i];
    columns[i] = outer + inner;
    columns[4 + i] = outerLess + innerLess;
    columns[8 + i] = outer - inner;
    columns[12 + i] = outerLess - innerLess;
  }
  int32_t highest = 0;
  for (size_t i = 0; i < perBlock; i += 4) {
    const int32_t begin = columns[i] + 3;
    const int32_t outer = begin + columns[i + 3];
    const int32_t inner = columns[i + 1] + columns[i + 2];
    const int32_t innerLess = columns[i + 1] - columns[i + 2];
    const int32_t outerLess = begin - columns[i + 3];
    for (const int32_t sum : {outer + inner, outerLess + innerLess, outer - inner, outerLess - innerLess}) {
      const int32_t value = sum >> 3;
      highest = std::max(highest, std::abs(value));
      *to = static_cast<int16_t>(value);
      to += perBlock;
    }
  }
  return highest;
}

// How much libwebp would see in a block that ends there: what is behind a first coefficient counts, even if it is 0.
VP8_INLINED uint8_t hasUpTo(int end, int16_t mean) { return end > 1 ? others : mean != 0 ? first : nothing; }

}  // namespace

VP8_VECTORS bool readCoefficients(Bools& partition, const Header& header, const Macroblock& macroblock, Neighbours& above, Neighbours& left, Coefficients& to,
                                  bool& unusual) {
  constexpr size_t means = 8;
  const Factors& factors = header.factors[macroblock.segment];
  Bools bools = partition;
  int32_t highest = 0;
  int16_t* values = to.values.data();
  int begin = 0;
  const Probabilities* probabilities = &header.probabilities[lumaWhole];
  if (!macroblock.inBlocks) {
    std::array<int16_t, perBlock> read{};
    int32_t highestMean = 0;
    const int end = block(bools, header.probabilities[lumaMeans], static_cast<size_t>(above[means] + left[means]), 0, factors.means, read.data(), highestMean);
    above[means] = left[means] = end > 0;
    highest = spreadMeans(read.data(), values);
    unusual |= highestMean > mostMean;
    begin = 1;
    probabilities = &header.probabilities[lumaRest];
  }
  uint8_t any = 0;
  uint8_t* has = to.has.data();
  for (size_t y = 0; y < 4; y++) {
    for (size_t x = 0; x < 4; x++, values += perBlock) {
      const int end = block(bools, *probabilities, static_cast<size_t>(above[x] + left[y]), begin, factors.luma, values, highest);
      above[x] = left[y] = end > begin;
      any |= *has++ = hasUpTo(end, values[0]);
    }
  }
  for (size_t plane = 4; plane < means; plane += 2) {
    for (size_t y = plane; y < plane + 2; y++) {
      for (size_t x = plane; x < plane + 2; x++, values += perBlock) {
        const int end = block(bools, header.probabilities[chromaBlock], static_cast<size_t>(above[x] + left[y]), 0, factors.chroma, values, highest);
        above[x] = left[y] = end > 0;
        any |= *has++ = hasUpTo(end, values[0]);
      }
    }
  }
  unusual |= highest > most;
  partition = bools;
  return any != 0;
}

}  // namespace patchstream::vp8

#endif
