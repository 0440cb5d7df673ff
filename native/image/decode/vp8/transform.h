#pragma once

#include "decode/vp8/coefficients.h"

#ifdef PATCHSTREAM_VP8

#include <cstring>

#include <immintrin.h>

namespace patchstream::vp8 {

// Differences of four blocks of 4 × 4, which lie side by side: row by row, four of each block.
struct Differences {
  __m256i rows[4];
};

// Four numbers of each of four blocks in each of four vectors, turned within each block.
VP8_VECTORS inline void turn(__m256i (&rows)[4]) {
  const __m256i upper0 = _mm256_unpacklo_epi16(rows[0], rows[1]);
  const __m256i upper1 = _mm256_unpackhi_epi16(rows[0], rows[1]);
  const __m256i lower0 = _mm256_unpacklo_epi16(rows[2], rows[3]);
  const __m256i lower1 = _mm256_unpackhi_epi16(rows[2], rows[3]);
  const __m256i left0 = _mm256_unpacklo_epi32(upper0, lower0);
  const __m256i right0 = _mm256_unpackhi_epi32(upper0, lower0);
  const __m256i left1 = _mm256_unpacklo_epi32(upper1, lower1);
  const __m256i right1 = _mm256_unpackhi_epi32(upper1, lower1);
  rows[0] = _mm256_unpacklo_epi64(left0, left1);
  rows[1] = _mm256_unpackhi_epi64(left0, left1);
  rows[2] = _mm256_unpacklo_epi64(right0, right1);
  rows[3] = _mm256_unpackhi_epi64(right0, right1);
}

// One direction of the transform (14.4). Sums wrap round at 16 bits, as those of libwebp's vectors do.
VP8_VECTORS inline void sums(__m256i (&rows)[4]) {
  // The square root of two times the cosine of an eighth of the half circle, less 1, and times its sine, less 1; in 65536ths.
  const __m256i cosine = _mm256_set1_epi16(20091);
  const __m256i sine = _mm256_set1_epi16(35468 - 65536);
  const __m256i even = _mm256_add_epi16(rows[0], rows[2]);
  const __m256i evenLess = _mm256_sub_epi16(rows[0], rows[2]);
  const __m256i sine1 = _mm256_add_epi16(_mm256_mulhi_epi16(rows[1], sine), rows[1]);
  const __m256i sine3 = _mm256_add_epi16(_mm256_mulhi_epi16(rows[3], sine), rows[3]);
  const __m256i cosine1 = _mm256_add_epi16(_mm256_mulhi_epi16(rows[1], cosine), rows[1]);
  const __m256i cosine3 = _mm256_add_epi16(_mm256_mulhi_epi16(rows[3], cosine), rows[3]);
  const __m256i oddLess = _mm256_sub_epi16(sine1, cosine3);
  const __m256i odd = _mm256_add_epi16(cosine1, sine3);
  rows[0] = _mm256_add_epi16(even, odd);
  rows[1] = _mm256_add_epi16(evenLess, oddLess);
  rows[2] = _mm256_sub_epi16(evenLess, oddLess);
  rows[3] = _mm256_sub_epi16(even, odd);
}

VP8_VECTORS inline __m256i pair(const int16_t* low, const int16_t* high) {
  const __m256i wide = _mm256_castsi128_si256(_mm_load_si128(reinterpret_cast<const __m128i*>(low)));
  return _mm256_inserti128_si256(wide, _mm_load_si128(reinterpret_cast<const __m128i*>(high)), 1);
}

// The differences of the blocks from `index` on; false where they are 0. Their coefficients are 0 afterwards.
VP8_VECTORS inline bool differences(Coefficients& coefficients, size_t index, Differences& to) {
  uint32_t has;
  std::memcpy(&has, &coefficients.has[index], sizeof has);
  if (has == 0) return false;
  int16_t* const values = &coefficients.values[index * perBlock];
  const __m256i half = _mm256_set1_epi16(4);
  if ((has & 0x02020202) == 0) {
    const auto firsts = [values](int block) { return static_cast<int64_t>((uint64_t{static_cast<uint16_t>(values[block * 16])}) * 0x0001000100010001); };
    const __m256i means = _mm256_set_epi64x(firsts(3), firsts(2), firsts(1), firsts(0));
    const __m256i row = _mm256_srai_epi16(_mm256_add_epi16(means, half), 3);
    for (__m256i& each : to.rows) each = row;
    for (int block = 0; block < 4; block++) values[block * 16] = 0;
    return true;
  }
  const __m256i upperEven = pair(values, values + 32);
  const __m256i upperOdd = pair(values + 16, values + 48);
  const __m256i lowerEven = pair(values + 8, values + 40);
  const __m256i lowerOdd = pair(values + 24, values + 56);
  for (int block = 0; block < 4; block++) _mm256_store_si256(reinterpret_cast<__m256i*>(values + block * 16), _mm256_setzero_si256());
  to.rows[0] = _mm256_unpacklo_epi64(upperEven, upperOdd);
  to.rows[1] = _mm256_unpackhi_epi64(upperEven, upperOdd);
  to.rows[2] = _mm256_unpacklo_epi64(lowerEven, lowerOdd);
  to.rows[3] = _mm256_unpackhi_epi64(lowerEven, lowerOdd);
  sums(to.rows);
  turn(to.rows);
  to.rows[0] = _mm256_add_epi16(to.rows[0], half);
  sums(to.rows);
  for (__m256i& row : to.rows) row = _mm256_srai_epi16(row, 3);
  turn(to.rows);
  return true;
}

}  // namespace patchstream::vp8

#endif
