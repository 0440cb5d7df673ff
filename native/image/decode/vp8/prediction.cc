#include "decode/vp8/prediction.h"

#ifdef PATCHSTREAM_VP8

#include <array>
#include <cstring>

#include "decode/vp8/transform.h"

namespace patchstream::vp8 {

namespace {

using Bytes16 = std::array<uint8_t, 16>;

inline __m128i load(const uint8_t* from) { return _mm_loadu_si128(reinterpret_cast<const __m128i*>(from)); }
inline __m128i loadHalf(const uint8_t* from) { return _mm_loadl_epi64(reinterpret_cast<const __m128i*>(from)); }
inline void store(uint8_t* to, __m128i bytes) { _mm_storeu_si128(reinterpret_cast<__m128i*>(to), bytes); }
inline void storeHalf(uint8_t* to, __m128i bytes) { _mm_storel_epi64(reinterpret_cast<__m128i*>(to), bytes); }
inline __m128i table(const Bytes16& bytes) { return load(bytes.data()); }

// What surrounds a block of 4 × 4, from the lowest pixel of the left column round the corner to the last of the row above, the outermost twice.
enum Around : uint8_t { lowest = 1, left1 = 3, left0 = 4, corner = 5, above0 = 6, lastAbove = 13 };

// Pixels of a predicted block, by rows: a mean of three, of which the middle one is named, or, with `two`, of the one named and the next.
constexpr uint8_t two = 16;
constexpr std::array<Bytes16, modes> recipes = {{
    {},
    {},
    {6, 7, 8, 9, 6, 7, 8, 9, 6, 7, 8, 9, 6, 7, 8, 9},
    {4, 4, 4, 4, 3, 3, 3, 3, 2, 2, 2, 2, 1, 1, 1, 1},
    {5, 6, 7, 8, 4, 5, 6, 7, 3, 4, 5, 6, 2, 3, 4, 5},
    {two + 5, two + 6, two + 7, two + 8, 5, 6, 7, 8, 4, two + 5, two + 6, two + 7, 3, 5, 6, 7},
    {7, 8, 9, 10, 8, 9, 10, 11, 9, 10, 11, 12, 10, 11, 12, 13},
    {two + 6, two + 7, two + 8, two + 9, 7, 8, 9, 10, two + 7, two + 8, two + 9, 11, 8, 9, 10, 12},
    {two + 4, 5, 6, 7, two + 3, 4, two + 4, 5, two + 2, 3, two + 3, 4, two + 1, 2, two + 2, 3},
    {two + 3, 3, two + 2, 2, two + 2, 2, two + 1, 1, two + 1, 1, two, two, two, two, two, two},
}};

// Which byte of the means of three, of the means of two, and of the mean of all goes where; 255 where none does.
struct Choices {
  std::array<Bytes16, modes> threes{};
  std::array<Bytes16, modes> twos{};
  std::array<Bytes16, modes> all{};
};

constexpr Choices choose() {
  Choices choices;
  for (size_t mode = 0; mode < modes; mode++) {
    for (size_t i = 0; i < 16; i++) {
      const uint8_t from = recipes[mode][i];
      choices.threes[mode][i] = mode == mean || from >= two ? 255 : from;
      choices.twos[mode][i] = mode == mean || from < two ? 255 : static_cast<uint8_t>(from - two);
      choices.all[mode][i] = mode == mean ? 0 : 255;
    }
  }
  return choices;
}

constexpr Choices choices = choose();

// A block by its surroundings. All modes but the gradient go one way, whose length no jump that is guessed wrong can double.
VP8_VECTORS VP8_INLINED __m128i predictBlock(__m128i around, uint8_t mode) {
  if (mode == gradient) {
    const __m128i above = _mm_shuffle_epi8(around, _mm_setr_epi8(6, -1, 7, -1, 8, -1, 9, -1, 6, -1, 7, -1, 8, -1, 9, -1));
    const __m128i slope = _mm_sub_epi16(above, _mm_shuffle_epi8(around, _mm_set1_epi16(static_cast<int16_t>(0xff00 + corner))));
    const __m128i upper = _mm_shuffle_epi8(around, _mm_setr_epi8(4, -1, 4, -1, 4, -1, 4, -1, 3, -1, 3, -1, 3, -1, 3, -1));
    const __m128i lower = _mm_shuffle_epi8(around, _mm_setr_epi8(2, -1, 2, -1, 2, -1, 2, -1, 1, -1, 1, -1, 1, -1, 1, -1));
    return _mm_packus_epi16(_mm_add_epi16(upper, slope), _mm_add_epi16(lower, slope));
  }
  const __m128i after = _mm_srli_si128(around, 1);
  const __m128i before = _mm_slli_si128(around, 1);
  const __m128i twos = _mm_avg_epu8(around, after);
  // The processor's mean is rounded up.
  const __m128i outer = _mm_sub_epi8(_mm_avg_epu8(before, after), _mm_and_si128(_mm_xor_si128(before, after), _mm_set1_epi8(1)));
  const __m128i threes = _mm_avg_epu8(around, outer);
  const __m128i eight = _mm_shuffle_epi8(around, _mm_setr_epi8(1, 2, 3, 4, 6, 7, 8, 9, -1, -1, -1, -1, -1, -1, -1, -1));
  const __m128i all = _mm_srli_epi16(_mm_add_epi16(_mm_sad_epu8(eight, _mm_setzero_si128()), _mm_set1_epi16(4)), 3);
  const __m128i means = _mm_or_si128(_mm_shuffle_epi8(threes, table(choices.threes[mode])), _mm_shuffle_epi8(twos, table(choices.twos[mode])));
  return _mm_or_si128(means, _mm_shuffle_epi8(all, table(choices.all[mode])));
}

// Differences of one block: its two upper rows and its two lower ones.
struct Halves {
  __m128i upper;
  __m128i lower;
};

VP8_VECTORS VP8_INLINED void apart(const Differences& row, Halves (&to)[4]) {
  const __m256i upperEven = _mm256_unpacklo_epi64(row.rows[0], row.rows[1]);
  const __m256i upperOdd = _mm256_unpackhi_epi64(row.rows[0], row.rows[1]);
  const __m256i lowerEven = _mm256_unpacklo_epi64(row.rows[2], row.rows[3]);
  const __m256i lowerOdd = _mm256_unpackhi_epi64(row.rows[2], row.rows[3]);
  to[0] = {_mm256_castsi256_si128(upperEven), _mm256_castsi256_si128(lowerEven)};
  to[1] = {_mm256_castsi256_si128(upperOdd), _mm256_castsi256_si128(lowerOdd)};
  to[2] = {_mm256_extracti128_si256(upperEven, 1), _mm256_extracti128_si256(lowerEven, 1)};
  to[3] = {_mm256_extracti128_si256(upperOdd, 1), _mm256_extracti128_si256(lowerOdd, 1)};
}

VP8_VECTORS VP8_INLINED __m128i add(__m128i block, const Halves& differences) {
  const __m128i zero = _mm_setzero_si128();
  return _mm_packus_epi16(_mm_add_epi16(_mm_unpacklo_epi8(block, zero), differences.upper), _mm_add_epi16(_mm_unpackhi_epi8(block, zero), differences.lower));
}

// Luma in blocks of 4 × 4, each of which is predicted from those before it: they stay in registers.
VP8_VECTORS void reconstructBlocks(const Macroblock& macroblock, const Place& luma, Coefficients& coefficients) {
  const __m128i fromLeft = _mm_setr_epi8(15, 15, 11, 7, 3, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1);
  const __m128i fromAbove = _mm_setr_epi8(-1, -1, -1, -1, -1, 0, 1, 2, 3, 4, 5, 6, 7, 8, 8, -1);
  int32_t behind;
  std::memcpy(&behind, luma.above + 16, sizeof behind);
  // The four pixels behind the row above the macroblock serve in all of its rows.
  const __m128i right = _mm_cvtsi32_si128(behind);
  __m128i over[4] = {load(luma.above - 1), load(luma.above + 3), load(luma.above + 7), load(luma.above + 11)};
  uint8_t* to = luma.to;
  for (size_t y = 0; y < 4; y++, to += 4 * luma.stride) {
    Differences row;
    Halves halves[4];
    if (differences(coefficients, 4 * y, row)) apart(row, halves);
    else std::memset(static_cast<void*>(halves), 0, sizeof halves);
    const auto pixels = [&](ptrdiff_t line) {
      int32_t four;
      std::memcpy(&four, to + line * luma.stride - 4, sizeof four);
      return four;
    };
    const __m128i before = _mm_setr_epi32(pixels(0), pixels(1), pixels(2), pixels(3));
    __m128i done[4];
    __m128i left = before;
    for (size_t x = 0; x < 4; x++) {
      const __m128i around = _mm_or_si128(_mm_shuffle_epi8(left, fromLeft), _mm_shuffle_epi8(over[x], fromAbove));
      left = add(predictBlock(around, macroblock.luma[4 * y + x]), halves[x]);
      done[x] = left;
    }
    const __m128i upperLeft = _mm_unpacklo_epi32(done[0], done[1]);
    const __m128i upperRight = _mm_unpacklo_epi32(done[2], done[3]);
    const __m128i lowerLeft = _mm_unpackhi_epi32(done[0], done[1]);
    const __m128i lowerRight = _mm_unpackhi_epi32(done[2], done[3]);
    const __m128i last = _mm_unpackhi_epi64(lowerLeft, lowerRight);
    store(to, _mm_unpacklo_epi64(upperLeft, upperRight));
    store(to + luma.stride, _mm_unpackhi_epi64(upperLeft, upperRight));
    store(to + 2 * luma.stride, _mm_unpacklo_epi64(lowerLeft, lowerRight));
    store(to + 3 * luma.stride, last);
    over[0] = _mm_alignr_epi8(last, before, 15);
    over[1] = _mm_srli_si128(last, 3);
    over[2] = _mm_srli_si128(last, 7);
    over[3] = _mm_alignr_epi8(right, last, 11);
  }
}

// The mean of the neighbours there are, of `side` pixels each; 128 without any.
template <int side>
VP8_VECTORS VP8_INLINED uint8_t meanOf(const Place& place, Sides sides) {
  constexpr int bits = side == 16 ? 4 : 3;
  if (!sides.above && !sides.left) return 128;
  uint32_t sum = 0;
  if (sides.above) {
    const __m128i over = side == 16 ? load(place.above) : loadHalf(place.above);
    const __m128i halves = _mm_sad_epu8(over, _mm_setzero_si128());
    sum = static_cast<uint32_t>(_mm_cvtsi128_si32(halves) + _mm_extract_epi16(halves, 4));
  }
  if (sides.left) {
    for (int y = 0; y < side; y++) sum += place.to[y * place.stride - 1];
  }
  const int all = sides.above && sides.left ? bits + 1 : bits;
  return static_cast<uint8_t>((sum + (1U << (all - 1))) >> all);
}

// `side` × `side` pixels by one mode, a row at a time: `put(y, row)`.
template <int side, typename Put>
VP8_VECTORS VP8_INLINED void predictWhole(uint8_t mode, Sides sides, const Place& place, const Put& put) {
  const auto leftOf = [&place](int y) { return place.to[y * place.stride - 1]; };
  const __m128i over = side == 16 ? load(place.above) : loadHalf(place.above);
  if (mode == vertical) {
    for (int y = 0; y < side; y++) put(y, over);
  } else if (mode == horizontal) {
    for (int y = 0; y < side; y++) put(y, _mm_set1_epi8(static_cast<char>(leftOf(y))));
  } else if (mode == gradient) {
    const __m256i slope = _mm256_sub_epi16(_mm256_cvtepu8_epi16(over), _mm256_set1_epi16(place.above[-1]));
    for (int y = 0; y < side; y++) {
      const __m256i row = _mm256_add_epi16(slope, _mm256_set1_epi16(leftOf(y)));
      put(y, _mm_packus_epi16(_mm256_castsi256_si128(row), _mm256_extracti128_si256(row, 1)));
    }
  } else {
    const __m128i all = _mm_set1_epi8(static_cast<char>(meanOf<side>(place, sides)));
    for (int y = 0; y < side; y++) put(y, all);
  }
}

VP8_VECTORS VP8_INLINED __m128i addRow(__m128i row, __m256i differences) {
  const __m256i sum = _mm256_add_epi16(_mm256_cvtepu8_epi16(row), differences);
  return _mm_packus_epi16(_mm256_castsi256_si128(sum), _mm256_extracti128_si256(sum, 1));
}

VP8_VECTORS void reconstructWhole(const Macroblock& macroblock, Sides sides, const Place& luma, Coefficients& coefficients) {
  Differences rows[4];
  bool any[4];
  for (size_t i = 0; i < 4; i++) any[i] = differences(coefficients, 4 * i, rows[i]);
  predictWhole<16>(macroblock.luma[0], sides, luma, [&](int y, __m128i row) VP8_VECTORS {
    store(luma.to + y * luma.stride, any[y >> 2] ? addRow(row, rows[y >> 2].rows[y & 3]) : row);
  });
}

VP8_VECTORS void reconstructChroma(uint8_t mode, Sides sides, const Place& place, Coefficients& coefficients, size_t index) {
  Differences blocks;
  // The two upper blocks lie in the lower half of each vector, the two lower ones in the upper.
  if (!differences(coefficients, index, blocks)) {
    predictWhole<8>(mode, sides, place, [&](int y, __m128i row) VP8_VECTORS { storeHalf(place.to + y * place.stride, row); });
    return;
  }
  predictWhole<8>(mode, sides, place, [&](int y, __m128i row) VP8_VECTORS {
    const __m256i both = blocks.rows[y & 3];
    const __m128i sum = _mm_add_epi16(_mm_cvtepu8_epi16(row), y < 4 ? _mm256_castsi256_si128(both) : _mm256_extracti128_si256(both, 1));
    storeHalf(place.to + y * place.stride, _mm_packus_epi16(sum, sum));
  });
}

}  // namespace

VP8_VECTORS void reconstruct(const Macroblock& macroblock, Sides sides, const Place& luma, const Place& u, const Place& v, Coefficients& coefficients) {
  if (macroblock.inBlocks) reconstructBlocks(macroblock, luma, coefficients);
  else reconstructWhole(macroblock, sides, luma, coefficients);
  reconstructChroma(macroblock.chroma, sides, u, coefficients, 16);
  reconstructChroma(macroblock.chroma, sides, v, coefficients, 20);
}

}  // namespace patchstream::vp8

#endif
