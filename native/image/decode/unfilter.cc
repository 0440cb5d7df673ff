#include "decode/unfilter.h"

#ifdef PATCHSTREAM_UNFILTER

#include <cstring>

#include <emmintrin.h>

namespace patchstream {

namespace {

// A pixel of `channels` bytes in the lowest lanes; what lies above them is of the next one, and nobody's.
template <int32_t channels>
inline __m128i loadPixel(const uint8_t* from) {
  if constexpr (channels == 1) return _mm_cvtsi32_si128(*from);
  uint32_t pixel;
  std::memcpy(&pixel, from, 4);
  return _mm_cvtsi32_si128(static_cast<int32_t>(pixel));
}

// Writes four bytes, of which the next pixel overwrites those that are its own.
template <int32_t channels>
inline void storePixel(uint8_t* to, __m128i pixel) {
  const auto bytes = static_cast<uint32_t>(_mm_cvtsi128_si32(pixel));
  if constexpr (channels == 1) *to = static_cast<uint8_t>(bytes);
  else std::memcpy(to, &bytes, 4);
}

template <int32_t channels>
void sub(const uint8_t* stored, uint8_t* row, size_t bytes) {
  __m128i left = _mm_setzero_si128();
  for (size_t i = 0; i < bytes; i += channels) {
    left = _mm_add_epi8(left, loadPixel<channels>(stored + i));
    storePixel<channels>(row + i, left);
  }
}

void up(const uint8_t* stored, const uint8_t* above, uint8_t* row, size_t bytes) {
  for (size_t i = 0; i < bytes; i += 16) {
    const __m128i sum = _mm_add_epi8(_mm_loadu_si128(reinterpret_cast<const __m128i*>(stored + i)), _mm_loadu_si128(reinterpret_cast<const __m128i*>(above + i)));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(row + i), sum);
  }
}

template <int32_t channels>
void average(const uint8_t* stored, const uint8_t* above, uint8_t* row, size_t bytes) {
  const __m128i one = _mm_set1_epi8(1);
  __m128i left = _mm_setzero_si128();
  for (size_t i = 0; i < bytes; i += channels) {
    const __m128i over = loadPixel<channels>(above + i);
    // The processor's mean is rounded up.
    const __m128i mean = _mm_sub_epi8(_mm_avg_epu8(left, over), _mm_and_si128(_mm_xor_si128(left, over), one));
    left = _mm_add_epi8(mean, loadPixel<channels>(stored + i));
    storePixel<channels>(row + i, left);
  }
}

// The guess of the standard is whichever of left, above and corner is nearest to left + above - corner, in this order. Which one that is depends on where
// 3 corner - left - above lies: up to the smaller of left and above it is the larger of them, from the larger on the smaller, and between them the corner.
// Fewer steps follow each other so, from one pixel to the next, than by comparing distances.
template <int32_t channels>
void paeth(const uint8_t* stored, const uint8_t* above, uint8_t* row, size_t bytes) {
  const __m128i zero = _mm_setzero_si128();
  __m128i left = zero;
  __m128i corner = zero;
  for (size_t i = 0; i < bytes; i += channels) {
    const __m128i over = _mm_unpacklo_epi8(loadPixel<channels>(above + i), zero);
    const __m128i pixel = _mm_unpacklo_epi8(loadPixel<channels>(stored + i), zero);
    const __m128i known = _mm_sub_epi16(_mm_add_epi16(corner, _mm_add_epi16(corner, corner)), over);
    const __m128i threshold = _mm_sub_epi16(known, left);
    const __m128i smaller = _mm_min_epi16(left, over);
    const __m128i larger = _mm_max_epi16(left, over);
    const __m128i aboveSmaller = _mm_cmpgt_epi16(threshold, smaller);
    const __m128i belowLarger = _mm_cmpgt_epi16(larger, threshold);
    // One of the three is not nothing, in each lane.
    const __m128i first = _mm_andnot_si128(aboveSmaller, larger);
    const __m128i second = _mm_andnot_si128(belowLarger, _mm_and_si128(aboveSmaller, smaller));
    const __m128i third = _mm_and_si128(belowLarger, _mm_and_si128(aboveSmaller, corner));
    // The upper half of each lane stays zero.
    left = _mm_add_epi8(_mm_add_epi8(pixel, first), _mm_add_epi8(second, third));
    corner = over;
    storePixel<channels>(row + i, _mm_packus_epi16(left, left));
  }
}

template <int32_t channels>
void undo(uint8_t filter, const uint8_t* stored, const uint8_t* above, uint8_t* row, size_t bytes) {
  switch (filter) {
    case 0:
      std::memcpy(row, stored, bytes);
      break;
    case 1:
      sub<channels>(stored, row, bytes);
      break;
    case 2:
      up(stored, above, row, bytes);
      break;
    case 3:
      average<channels>(stored, above, row, bytes);
      break;
    default:
      paeth<channels>(stored, above, row, bytes);
  }
}

}  // namespace

void unfilter(uint8_t filter, const uint8_t* stored, const uint8_t* above, uint8_t* row, size_t bytes, int32_t channels) {
  switch (channels) {
    case 1:
      undo<1>(filter, stored, above, row, bytes);
      break;
    case 2:
      undo<2>(filter, stored, above, row, bytes);
      break;
    case 3:
      undo<3>(filter, stored, above, row, bytes);
      break;
    default:
      undo<4>(filter, stored, above, row, bytes);
  }
}

}  // namespace patchstream

#endif
