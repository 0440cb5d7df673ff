#include "likeness/codes.h"

#include <cstring>

#include "likeness/vectors.h"

namespace patchstream {

namespace {

// All frequencies across are summed side by side, each in the order of JavaScript's loops: so the sums are the same to the last bit.
using Four = double __attribute__((vector_size(32)));

ALWAYS_INLINE Four fourAt(const double* at) {
  Four four;
  std::memcpy(&four, at, sizeof four);
  return four;
}

// Of each row of a thumbnail its coefficients across.
template <int32_t count>
struct Across {
  double rows[thumbnailSide * count];
};

// Between two edges. `waves` is [32, count].
template <int32_t count>
ALWAYS_INLINE void sumAcross(const uint8_t* thumbnail, const int32_t* edges, const double* waves, Across<count>& across) {
  const int32_t last = (edges[1] + 3) >> 2;
  for (int32_t y = 0; y < thumbnailSide; y++) {
    Four sums[count / 4] = {};
    for (int32_t x = edges[0] >> 2; x < last; x++) {
      const double pixel = thumbnail[y * thumbnailSide + x];
      for (int32_t u = 0; u < count / 4; u++) sums[u] += pixel * fourAt(waves + x * count + 4 * u);
    }
    std::memcpy(across.rows + y * count, sums, sizeof sums);
  }
}

// The coefficients of a part, [count, count]: four frequencies down at a time, so that the sums stay in registers.
template <int32_t count>
ALWAYS_INLINE void sumDown(const Across<count>& across, const int32_t* edges, const double* waves, double* out) {
  const int32_t last = (edges[1] + 3) >> 2;
  for (int32_t from = 0; from < count; from += 4) {
    Four sums[4][count / 4] = {};
    for (int32_t y = edges[0] >> 2; y < last; y++) {
      for (int32_t v = 0; v < 4; v++) {
        const double weight = waves[y * count + from + v];
        for (int32_t u = 0; u < count / 4; u++) sums[v][u] += weight * fourAt(across.rows + y * count + 4 * u);
      }
    }
    std::memcpy(out + from * count, sums, sizeof sums);
  }
}

// Bit i is 1 where coefficient i is above, or below the negative of, what is noise.
struct Signs {
  uint64_t above = 0;
  uint64_t below = 0;
};

ALWAYS_INLINE Signs signsOf(const double* values, double noise) {
  Signs signs;
  for (int32_t i = 0; i < coarse * coarse; i++) {
    signs.above |= static_cast<uint64_t>(values[i] > noise) << i;
    signs.below |= static_cast<uint64_t>(values[i] < -noise) << i;
  }
  // The mean has no sign.
  signs.above &= ~uint64_t{1};
  signs.below &= ~uint64_t{1};
  return signs;
}

ALWAYS_INLINE void allCodes(const Parts& parts, const uint8_t* thumbnail, const PartCodes& codes) {
  constexpr uint64_t odd = 0xaaaaaaaaaaaaaaaau;
  constexpr size_t wavesLength = thumbnailSide * coarse;
  // Parts that take the same interval across share its sums.
  thread_local std::vector<Across<coarse>> across;
  thread_local std::vector<uint8_t> isKnown;
  across.resize(parts.edges.size() / 2);
  isKnown.assign(across.size(), 0);
  double values[coarse * coarse];
  for (size_t p = 0; p < parts.count(); p++) {
    const auto horizontal = static_cast<size_t>(parts.intervals[2 * p]);
    const auto vertical = static_cast<size_t>(parts.intervals[2 * p + 1]);
    const int32_t* wide = &parts.edges[2 * horizontal];
    const int32_t* high = &parts.edges[2 * vertical];
    if (isKnown[horizontal] == 0) sumAcross(thumbnail, wide, &parts.waves[horizontal * wavesLength], across[horizontal]);
    isKnown[horizontal] = 1;
    sumDown(across[horizontal], high, &parts.waves[vertical * wavesLength], values);
    if (p == 0) std::memcpy(codes.first, values, sizeof values);
    const double noise = (wide[1] - wide[0]) * (high[1] - high[0]) / 256.0;
    const Signs signs = signsOf(values, noise);
    codes.plain[p] = signs.above;
    codes.mirrored[p] = (signs.above & ~odd) | (signs.below & odd);
    codes.content[p] = __builtin_popcountll(signs.above | signs.below) >= parts.leastContent ? 1 : 0;
  }
  constexpr int32_t whole[] = {0, 4 * thumbnailSide};
  Across<fine> fineAcross;
  sumAcross(thumbnail, whole, parts.fineWaves.data(), fineAcross);
  sumDown(fineAcross, whole, parts.fineWaves.data(), codes.fine);
}

#ifdef PATCHSTREAM_AVX2
AVX2 void allCodesAvx2(const Parts& parts, const uint8_t* thumbnail, const PartCodes& codes) { allCodes(parts, thumbnail, codes); }
#endif

}  // namespace

void codesOf(const Parts& parts, const uint8_t* thumbnail, const PartCodes& codes) {
#ifdef PATCHSTREAM_AVX2
  if (hasAvx2()) return allCodesAvx2(parts, thumbnail, codes);
#endif
  allCodes(parts, thumbnail, codes);
}

}  // namespace patchstream
