#include "encode/jpeg/symbols.h"

#include "encode/jpeg/wide.h"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

namespace patchstream {

namespace {

constexpr uint32_t sixteenZeros = 0xF0;
constexpr int32_t placeBits = Symbols::placeBits;

// Where a coefficient comes in the zigzag, by its place in the block.
constexpr std::array<uint8_t, 64> zigzag{0,  1,  5,  6,  14, 15, 27, 28, 2,  4,  7,  13, 16, 26, 29, 42, 3,  8,  12, 17, 25, 30,
                                         41, 43, 9,  11, 18, 24, 31, 40, 44, 53, 10, 19, 23, 32, 39, 45, 52, 54, 20, 22, 33, 38,
                                         46, 51, 55, 60, 21, 34, 37, 47, 50, 56, 59, 61, 35, 36, 48, 49, 57, 58, 62, 63};
// And the other way.
constexpr std::array<uint8_t, 64> places = [] {
  std::array<uint8_t, 64> all{};
  for (uint8_t i = 0; i < 64; i++) all[zigzag[i]] = i;
  return all;
}();

// A bit for each coefficient that is not zero, the first the lowest.
uint64_t nonZero(const int16_t* block) {
  uint64_t bits = 0;
#ifdef __SSE2__
  const __m128i zero = _mm_setzero_si128();
  for (int32_t i = 0; i < 64; i += 16) {
    const auto eight = [&](int32_t at) { return _mm_cmpeq_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(block + at)), zero); };
    const auto zeros = static_cast<uint32_t>(_mm_movemask_epi8(_mm_packs_epi16(eight(i), eight(i + 8))));
    bits |= uint64_t{zeros ^ 0xFFFFU} << i;
  }
#else
  for (int32_t i = 0; i < 64; i++) bits |= uint64_t{block[i] != 0} << i;
#endif
  return bits;
}

// A value that has so many bits, with those that tell it from the others that have as many.
uint32_t furtherBits(int32_t value, int32_t count) { return static_cast<uint32_t>(value + (value >> 31)) & ((1U << count) - 1); }

int32_t bitsOf(int32_t value) { return value == 0 ? 0 : 32 - __builtin_clz(static_cast<uint32_t>(value < 0 ? -value : value)); }

#ifdef PATCHSTREAM_WIDE
// Sixteen symbols of values and of the zeros before each.
PATCHSTREAM_WIDE inline void storeSixteen(__m256i values, __m128i zeros, uint32_t table, uint32_t* to) {
  const __m512i value = _mm512_cvtepi16_epi32(values);
  const __m512i count = _mm512_sub_epi32(_mm512_set1_epi32(32), _mm512_lzcnt_epi32(_mm512_abs_epi32(value)));
  const __m512i whole = _mm512_add_epi32(value, _mm512_srai_epi32(value, 31));
  const __m512i further = _mm512_andnot_si512(_mm512_sllv_epi32(_mm512_set1_epi32(-1), count), whole);
  const __m512i place = _mm512_add_epi32(_mm512_add_epi32(_mm512_slli_epi32(_mm512_cvtepu8_epi32(zeros), 4), count), _mm512_set1_epi32(static_cast<int32_t>(table)));
  _mm512_storeu_si512(to, _mm512_or_si512(_mm512_slli_epi32(further, placeBits), place));
}

// All coefficients at once: those that are not zero are brought behind one another in the zigzag's order.
PATCHSTREAM_WIDE uint32_t* addOthersWide(const int16_t* block, uint32_t table, uint32_t* to) {
  const __m512i first = _mm512_loadu_si512(block);
  const __m512i second = _mm512_loadu_si512(block + 32);
  const uint64_t there = (uint64_t{_mm512_test_epi16_mask(first, first)} | uint64_t{_mm512_test_epi16_mask(second, second)} << 32) & ~uint64_t{1};
  const __m512i byOrder = _mm512_loadu_si512(places.data());
  const uint64_t inOrder = _mm512_movepi8_mask(_mm512_permutexvar_epi8(byOrder, _mm512_movm_epi8(there)));
  alignas(64) static constexpr std::array<uint8_t, 64> numbers = [] {
    std::array<uint8_t, 64> all{};
    for (uint8_t i = 0; i < 64; i++) all[i] = i;
    return all;
  }();
  const __m512i number = _mm512_load_si512(numbers.data());
  const __m512i one = _mm512_set1_epi8(1);
  const __m512i at = _mm512_maskz_compress_epi8(inOrder, number);
  const __m512i before = _mm512_maskz_permutexvar_epi8(~uint64_t{1}, _mm512_sub_epi8(number, one), at);
  const __m512i zeros = _mm512_sub_epi8(_mm512_sub_epi8(at, before), one);
  const auto count = static_cast<size_t>(__builtin_popcountll(inOrder));
  const uint64_t counted = (uint64_t{1} << count) - 1;
  if (_mm512_mask_cmpgt_epu8_mask(counted, zeros, _mm512_set1_epi8(15)) != 0) return addOthersPlain(block, table, to);
  const __m512i from = _mm512_permutexvar_epi8(at, byOrder);
  const auto thirtyTwo = [&](__m256i which) PATCHSTREAM_WIDE { return _mm512_permutex2var_epi16(first, _mm512_cvtepu8_epi16(which), second); };
  const __m512i values = thirtyTwo(_mm512_castsi512_si256(from));
  storeSixteen(_mm512_castsi512_si256(values), _mm512_castsi512_si128(zeros), table, to);
  storeSixteen(_mm512_extracti64x4_epi64(values, 1), _mm512_extracti32x4_epi32(zeros, 1), table, to + 16);
  if (count > 32) {
    const __m512i others = thirtyTwo(_mm512_extracti64x4_epi64(from, 1));
    storeSixteen(_mm512_castsi512_si256(others), _mm512_extracti32x4_epi32(zeros, 2), table, to + 32);
    storeSixteen(_mm512_extracti64x4_epi64(others, 1), _mm512_extracti32x4_epi32(zeros, 3), table, to + 48);
  }
  to[count] = table;
  return to + count + (1 - (inOrder >> 63));
}
#endif

}  // namespace

uint32_t* addMean(int32_t difference, uint32_t table, uint32_t* to) {
  const int32_t bits = bitsOf(difference);
  *to = furtherBits(difference, bits) << placeBits | (table + static_cast<uint32_t>(bits));
  return to + 1;
}

uint32_t* addOthersPlain(const int16_t* block, uint32_t table, uint32_t* to) {
  uint64_t inOrder = 0;
  for (uint64_t left = nonZero(block) & ~uint64_t{1}; left != 0; left &= left - 1) inOrder |= uint64_t{1} << zigzag[__builtin_ctzll(left)];
  uint32_t last = 0;
  for (; inOrder != 0; inOrder &= inOrder - 1) {
    const auto at = static_cast<uint32_t>(__builtin_ctzll(inOrder));
    uint32_t zeros = at - last - 1;
    last = at;
    for (; zeros > 15; zeros -= 16) *to++ = table + sixteenZeros;
    const int32_t value = block[places[at]];
    const int32_t count = bitsOf(value);
    *to++ = furtherBits(value, count) << placeBits | (table + (zeros << 4) + static_cast<uint32_t>(count));
  }
  if (last != Symbols::blockSize - 1) *to++ = table;
  return to;
}

AddOthers fastestOthers() {
#ifdef PATCHSTREAM_WIDE
  if (isWide()) return addOthersWide;
#endif
  return addOthersPlain;
}

}  // namespace patchstream
