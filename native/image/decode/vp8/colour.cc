#include "decode/vp8/colour.h"

#ifdef PATCHSTREAM_VP8

#include <cstring>

#include <immintrin.h>

namespace patchstream::vp8 {

namespace {

constexpr int32_t step = 16;
constexpr int32_t pixelBytes = 3;

// Three times the near row and the far one, and on both sides the outermost once more. `to` has room for `count` and a vector.
VP8_VECTORS void mix(const ChromaRow& row, int32_t count, int16_t* to) {
  const __m256i three = _mm256_set1_epi16(3);
  const auto wide = [](const uint8_t* from) VP8_VECTORS { return _mm256_cvtepu8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from))); };
  for (int32_t x = 0; x < count; x += step) {
    const __m256i sum = _mm256_add_epi16(_mm256_mullo_epi16(wide(row.near + x), three), wide(row.far + x));
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(to + 1 + x), sum);
  }
  to[0] = to[1];
  to[count + 1] = to[count];
}

// Sixteen values of eight: each of them lies between two pixels, and is three times as near to one.
VP8_VECTORS inline __m256i spread(const int16_t* mixed) {
  const auto at = [mixed](int i) VP8_VECTORS { return _mm_loadu_si128(reinterpret_cast<const __m128i*>(mixed + i)); };
  const __m128i middle = at(1);
  const __m128i base = _mm_add_epi16(_mm_add_epi16(middle, _mm_add_epi16(middle, middle)), _mm_set1_epi16(8));
  const __m128i left = _mm_srli_epi16(_mm_add_epi16(base, at(0)), 4);
  const __m128i right = _mm_srli_epi16(_mm_add_epi16(base, at(2)), 4);
  return _mm256_inserti128_si256(_mm256_castsi128_si256(_mm_unpacklo_epi16(left, right)), _mm_unpackhi_epi16(left, right), 1);
}

// Sixteen pixels.
VP8_VECTORS inline void convert(const uint8_t* luma, const int16_t* u, const int16_t* v, uint8_t* rgb) {
  // Products with 8 bits behind the point, as libwebp has them.
  const auto times = [](__m256i value, int factor) VP8_VECTORS {
    return _mm256_mulhi_epu16(_mm256_slli_epi16(value, 8), _mm256_set1_epi16(static_cast<int16_t>(factor)));
  };
  const __m256i y = times(_mm256_cvtepu8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(luma))), 19077);
  const __m256i us = spread(u);
  const __m256i vs = spread(v);
  const __m256i red = _mm256_sub_epi16(_mm256_add_epi16(y, times(vs, 26149)), _mm256_set1_epi16(14234));
  const __m256i green = _mm256_sub_epi16(_mm256_add_epi16(y, _mm256_set1_epi16(8708)), _mm256_add_epi16(times(us, 6419), times(vs, 13320)));
  // More than a signed number holds.
  const __m256i blue = _mm256_subs_epu16(_mm256_adds_epu16(y, times(us, 33050)), _mm256_set1_epi16(17685));
  const __m256i redGreen = _mm256_packus_epi16(_mm256_srai_epi16(red, 6), _mm256_srai_epi16(green, 6));
  const __m256i blues = _mm256_packus_epi16(_mm256_srli_epi16(blue, 6), _mm256_setzero_si256());
  // Each half has eight pixels: the first sixteen bytes of them, and the other eight.
  const __m256i firstRedGreen = _mm256_broadcastsi128_si256(_mm_setr_epi8(0, 8, -1, 1, 9, -1, 2, 10, -1, 3, 11, -1, 4, 12, -1, 5));
  const __m256i firstBlue = _mm256_broadcastsi128_si256(_mm_setr_epi8(-1, -1, 0, -1, -1, 1, -1, -1, 2, -1, -1, 3, -1, -1, 4, -1));
  const __m256i otherRedGreen = _mm256_broadcastsi128_si256(_mm_setr_epi8(13, -1, 6, 14, -1, 7, 15, -1, -1, -1, -1, -1, -1, -1, -1, -1));
  const __m256i otherBlue = _mm256_broadcastsi128_si256(_mm_setr_epi8(-1, 5, -1, -1, 6, -1, -1, 7, -1, -1, -1, -1, -1, -1, -1, -1));
  const __m256i first = _mm256_or_si256(_mm256_shuffle_epi8(redGreen, firstRedGreen), _mm256_shuffle_epi8(blues, firstBlue));
  const __m256i other = _mm256_or_si256(_mm256_shuffle_epi8(redGreen, otherRedGreen), _mm256_shuffle_epi8(blues, otherBlue));
  _mm_storeu_si128(reinterpret_cast<__m128i*>(rgb), _mm256_castsi256_si128(first));
  _mm_storel_epi64(reinterpret_cast<__m128i*>(rgb + 16), _mm256_castsi256_si128(other));
  _mm_storeu_si128(reinterpret_cast<__m128i*>(rgb + 24), _mm256_extracti128_si256(first, 1));
  _mm_storel_epi64(reinterpret_cast<__m128i*>(rgb + 40), _mm256_extracti128_si256(other, 1));
}

}  // namespace

VP8_VECTORS void Colours::row(const uint8_t* luma, const ChromaRow& u, const ChromaRow& v, int32_t width, uint8_t* rgb) {
  const int32_t chroma = (width + 1) / 2;
  const size_t room = static_cast<size_t>(chroma) + 2 * step;
  if (u_.size() < room) {
    u_.resize(room);
    v_.resize(room);
  }
  mix(u, chroma, u_.data());
  mix(v, chroma, v_.data());
  int32_t x = 0;
  for (; x + step <= width; x += step) convert(luma + x, u_.data() + x / 2, v_.data() + x / 2, rgb + x * pixelBytes);
  if (x == width) return;
  uint8_t last[step * pixelBytes];
  convert(luma + x, u_.data() + x / 2, v_.data() + x / 2, last);
  std::memcpy(rgb + x * pixelBytes, last, static_cast<size_t>((width - x) * pixelBytes));
}

}  // namespace patchstream::vp8

#endif
