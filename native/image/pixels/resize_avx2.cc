// The passes in AVX2. Compiled for it function by function, and called only where the machine has it.
#include "pixels/resize.h"

#if defined(__x86_64__) && defined(__GNUC__)

#include <immintrin.h>

#include <cstring>

#define AVX2 __attribute__((target("avx2")))

namespace patchstream {

namespace {

// Two rows' weights side by side, for madd.
AVX2 inline __m256i pairOf(const int16_t* weights, int32_t k, int32_t taps) {
  const auto first = static_cast<uint16_t>(weights[k]);
  const auto second = static_cast<uint16_t>(k + 1 < taps ? weights[k + 1] : 0);
  return _mm256_set1_epi32(static_cast<int32_t>(first | static_cast<uint32_t>(second) << 16));
}

// 32 bytes of the output. Bytes of two rows are put side by side, widened, and multiplied and added in one instruction.
AVX2 inline void strip32(const uint8_t* rows, ptrdiff_t stride, const int16_t* weights, int32_t taps, int32_t shift, uint8_t* out) {
  const __m256i zero = _mm256_setzero_si256();
  const __m256i half = _mm256_set1_epi32(1 << (shift - 1));
  __m256i a = half;
  __m256i b = half;
  __m256i c = half;
  __m256i d = half;
  for (int32_t k = 0; k < taps; k += 2, rows += 2 * stride) {
    const __m256i weight = pairOf(weights, k, taps);
    const __m256i upper = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(rows));
    // The row after an odd last one may not exist.
    const __m256i lower = k + 1 < taps ? _mm256_loadu_si256(reinterpret_cast<const __m256i*>(rows + stride)) : zero;
    const __m256i left = _mm256_unpacklo_epi8(upper, lower);
    const __m256i right = _mm256_unpackhi_epi8(upper, lower);
    a = _mm256_add_epi32(a, _mm256_madd_epi16(_mm256_unpacklo_epi8(left, zero), weight));
    b = _mm256_add_epi32(b, _mm256_madd_epi16(_mm256_unpackhi_epi8(left, zero), weight));
    c = _mm256_add_epi32(c, _mm256_madd_epi16(_mm256_unpacklo_epi8(right, zero), weight));
    d = _mm256_add_epi32(d, _mm256_madd_epi16(_mm256_unpackhi_epi8(right, zero), weight));
  }
  const __m128i by = _mm_cvtsi32_si128(shift);
  const __m256i low = _mm256_packs_epi32(_mm256_sra_epi32(a, by), _mm256_sra_epi32(b, by));
  const __m256i high = _mm256_packs_epi32(_mm256_sra_epi32(c, by), _mm256_sra_epi32(d, by));
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(out), _mm256_packus_epi16(low, high));
}

// The same for 16 bytes.
AVX2 inline void strip16(const uint8_t* rows, ptrdiff_t stride, const int16_t* weights, int32_t taps, int32_t shift, uint8_t* out) {
  const __m256i half = _mm256_set1_epi32(1 << (shift - 1));
  __m256i a = half;
  __m256i b = half;
  for (int32_t k = 0; k < taps; k += 2, rows += 2 * stride) {
    const __m256i weight = pairOf(weights, k, taps);
    const __m128i upper = _mm_loadu_si128(reinterpret_cast<const __m128i*>(rows));
    const __m128i lower = k + 1 < taps ? _mm_loadu_si128(reinterpret_cast<const __m128i*>(rows + stride)) : _mm_setzero_si128();
    a = _mm256_add_epi32(a, _mm256_madd_epi16(_mm256_cvtepu8_epi16(_mm_unpacklo_epi8(upper, lower)), weight));
    b = _mm256_add_epi32(b, _mm256_madd_epi16(_mm256_cvtepu8_epi16(_mm_unpackhi_epi8(upper, lower)), weight));
  }
  const __m128i by = _mm_cvtsi32_si128(shift);
  a = _mm256_sra_epi32(a, by);
  b = _mm256_sra_epi32(b, by);
  const __m128i low = _mm_packs_epi32(_mm256_castsi256_si128(a), _mm256_extracti128_si256(a, 1));
  const __m128i high = _mm_packs_epi32(_mm256_castsi256_si128(b), _mm256_extracti128_si256(b, 1));
  _mm_storeu_si128(reinterpret_cast<__m128i*>(out), _mm_packus_epi16(low, high));
}

AVX2 void vertical(const uint8_t* rows, ptrdiff_t stride, const int16_t* weights, int32_t taps, int32_t shift, uint8_t* out, int32_t bytes) {
  if (bytes < 16) return portablePasses.vertical(rows, stride, weights, taps, shift, out, bytes);
  int32_t x = 0;
  for (; x + 32 <= bytes; x += 32) strip32(rows + x, stride, weights, taps, shift, out + x);
  if (x + 16 <= bytes) {
    strip16(rows + x, stride, weights, taps, shift, out + x);
    x += 16;
  }
  // The last strip overlaps the one before: the row ends here, and what is done twice comes out the same.
  if (x < bytes) strip16(rows + bytes - 16, stride, weights, taps, shift, out + bytes - 16);
}

// One pixel of the output. Sums of four neighbouring pixels at a time: pixels 0 and 1 in the lower half, 2 and 3 in the upper, channel by channel in pairs.
// Answers it as red, green, blue and a byte that means nothing.
AVX2 inline int32_t sumOf(const uint8_t* pixels, const int16_t* weights, int32_t taps, __m128i half, __m128i by) {
  const __m128i pairs = _mm_setr_epi8(0, 3, 1, 4, 2, 5, -1, -1, 6, 9, 7, 10, 8, 11, -1, -1);
  const __m256i spread = _mm256_setr_epi8(0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3, 4, 5, 6, 7, 4, 5, 6, 7, 4, 5, 6, 7, 4, 5, 6, 7);
  __m256i sum = _mm256_setzero_si256();
  for (int32_t k = taps; k > 0; k -= 4, pixels += 12, weights += 4) {
    const __m128i four = _mm_shuffle_epi8(_mm_loadu_si128(reinterpret_cast<const __m128i*>(pixels)), pairs);
    int64_t packed;
    std::memcpy(&packed, weights, sizeof packed);
    const __m256i weight = _mm256_shuffle_epi8(_mm256_set1_epi64x(packed), spread);
    sum = _mm256_add_epi32(sum, _mm256_madd_epi16(_mm256_cvtepu8_epi16(four), weight));
  }
  const __m128i both = _mm_add_epi32(_mm_add_epi32(_mm256_castsi256_si128(sum), _mm256_extracti128_si256(sum, 1)), half);
  const __m128i words = _mm_packs_epi32(_mm_sra_epi32(both, by), both);
  return _mm_cvtsi128_si32(_mm_packus_epi16(words, words));
}

AVX2 inline __m256i sides(const uint8_t* low, const uint8_t* high) {
  const __m256i lower = _mm256_castsi128_si256(_mm_loadu_si128(reinterpret_cast<const __m128i*>(low)));
  return _mm256_inserti128_si256(lower, _mm_loadu_si128(reinterpret_cast<const __m128i*>(high)), 1);
}

AVX2 inline __m256i madd(__m256i pixels, __m256i pairs, const int16_t* weights) {
  return _mm256_madd_epi16(_mm256_shuffle_epi8(pixels, pairs), _mm256_loadu_si256(reinterpret_cast<const __m256i*>(weights)));
}

// Four pixels of the output at a time, a half of a register for each; one by one what is left.
AVX2 void horizontal(const uint8_t* row, const Taps& taps, uint8_t* out) {
  // Of pixels 0 and 1, and of 2 and 3: channel by channel in pairs, widened.
  const __m256i near = _mm256_setr_epi8(0, -1, 3, -1, 1, -1, 4, -1, 2, -1, 5, -1, -1, -1, -1, -1, 0, -1, 3, -1, 1, -1, 4, -1, 2, -1, 5, -1, -1, -1, -1, -1);
  const __m256i far = _mm256_setr_epi8(6, -1, 9, -1, 7, -1, 10, -1, 8, -1, 11, -1, -1, -1, -1, -1, 6, -1, 9, -1, 7, -1, 10, -1, 8, -1, 11, -1, -1, -1, -1, -1);
  // Outputs 0 and 2 lie in one half, 1 and 3 in the other; three of the four bytes of each are wanted.
  const __m256i inOrder = _mm256_setr_epi32(0, 4, 1, 5, 0, 4, 1, 5);
  const __m128i without = _mm_setr_epi8(0, 1, 2, 4, 5, 6, 8, 9, 10, 12, 13, 14, -1, -1, -1, -1);
  const __m128i by = _mm_cvtsi32_si128(taps.shift());
  const __m256i half = _mm256_set1_epi32(1 << (taps.shift() - 1));
  const int16_t* weights = taps.spread();
  const Taps::Four* const end = taps.fours() + taps.fourCount();
  for (const Taps::Four* four = taps.fours(); four < end; four++, out += 12) {
    const uint8_t* a = row + four->offsets[0];
    const uint8_t* b = row + four->offsets[1];
    const uint8_t* c = row + four->offsets[2];
    const uint8_t* d = row + four->offsets[3];
    __m256i left = half;
    __m256i right = half;
    for (const int16_t* const last = weights + four->length; weights < last; a += 12, b += 12, c += 12, d += 12, weights += Taps::spreadStep) {
      const __m256i first = sides(a, b);
      const __m256i second = sides(c, d);
      left = _mm256_add_epi32(left, _mm256_add_epi32(madd(first, near, weights), madd(first, far, weights + 16)));
      right = _mm256_add_epi32(right, _mm256_add_epi32(madd(second, near, weights + 32), madd(second, far, weights + 48)));
    }
    const __m256i words = _mm256_packs_epi32(_mm256_sra_epi32(left, by), _mm256_sra_epi32(right, by));
    const __m256i bytes = _mm256_permutevar8x32_epi32(_mm256_packus_epi16(words, words), inOrder);
    // The last four bytes fall on the next outputs, which come after.
    _mm_storeu_si128(reinterpret_cast<__m128i*>(out), _mm_shuffle_epi8(_mm256_castsi256_si128(bytes), without));
  }
  const int32_t count = taps.count();
  for (auto i = static_cast<int32_t>(4 * taps.fourCount()); i < count; i++, out += 3) {
    const int32_t pixel = sumOf(row + static_cast<ptrdiff_t>(taps.first(i)) * 3, taps.weights(i), taps.taps(i), _mm256_castsi256_si128(half), by);
    // The fourth byte falls on the next pixel; behind the last there is none.
    std::memcpy(out, &pixel, i + 1 < count ? 4 : 3);
  }
}

}  // namespace

const Passes* avx2Passes() {
  static const Passes fast{vertical, horizontal};
  return __builtin_cpu_supports("avx2") ? &fast : nullptr;
}

}  // namespace patchstream

#else

namespace patchstream {

const Passes* avx2Passes() { return nullptr; }

}  // namespace patchstream

#endif
