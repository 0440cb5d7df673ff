#include "encode/jpeg/colours.h"

#include <array>

#include "encode/jpeg/wide.h"

namespace patchstream {

#ifdef PATCHSTREAM_WIDE

namespace {

constexpr size_t channels = 3;
constexpr int32_t vectorBytes = 64;

// Which bytes of three vectors of interleaved colours are those of one: the first two vectors, then the third where its bit is set.
struct Colour {
  std::array<uint8_t, vectorBytes> before{};
  std::array<uint8_t, vectorBytes> behind{};
  uint64_t isBehind = 0;
};

constexpr std::array<Colour, channels> colours = [] {
  std::array<Colour, channels> all{};
  for (size_t k = 0; k < channels; k++) {
    for (size_t i = 0; i < vectorBytes; i++) {
      const size_t at = channels * i + k;
      all[k].before[i] = static_cast<uint8_t>(at % (2 * vectorBytes));
      all[k].behind[i] = static_cast<uint8_t>(at % vectorBytes);
      if (at >= 2 * vectorBytes) all[k].isBehind |= uint64_t{1} << i;
    }
  }
  return all;
}();

PATCHSTREAM_WIDE inline __m512i loadAtMost(const uint8_t* from, int32_t bytes) {
  if (bytes >= vectorBytes) return _mm512_loadu_si512(from);
  return bytes <= 0 ? _mm512_setzero_si512() : _mm512_maskz_loadu_epi8((uint64_t{1} << bytes) - 1, from);
}

// 32 pixels: weights in 65,536ths as in the standard of JFIF.
PATCHSTREAM_WIDE inline void convert(__m256i red, __m256i green, __m256i blue, uint8_t* luma, uint8_t* cb, uint8_t* cr) {
  const __m512i zero = _mm512_setzero_si512();
  const __m512i r = _mm512_cvtepu8_epi16(red);
  const __m512i g = _mm512_cvtepu8_epi16(green);
  const __m512i b = _mm512_cvtepu8_epi16(blue);
  const __m512i half = _mm512_set1_epi32(1 << 15);
  const __m512i middle = _mm512_set1_epi32((128 << 16) + (1 << 15) - 1);
  __m512i made[channels][2];
  for (int32_t upper = 0; upper < 2; upper++) {
    const __m512i rg = upper ? _mm512_unpackhi_epi16(r, g) : _mm512_unpacklo_epi16(r, g);
    const __m512i bg = upper ? _mm512_unpackhi_epi16(b, g) : _mm512_unpacklo_epi16(b, g);
    const __m512i halfRed = _mm512_slli_epi32(upper ? _mm512_unpackhi_epi16(r, zero) : _mm512_unpacklo_epi16(r, zero), 15);
    const __m512i halfBlue = _mm512_slli_epi32(upper ? _mm512_unpackhi_epi16(b, zero) : _mm512_unpacklo_epi16(b, zero), 15);
    // Green's 38,470 is more than a number of 16 bits holds.
    const __m512i y = _mm512_add_epi32(_mm512_madd_epi16(rg, pairOf(19595, 22086)), _mm512_madd_epi16(bg, pairOf(7471, 16384)));
    const __m512i u = _mm512_add_epi32(_mm512_madd_epi16(rg, pairOf(-11059, -21709)), halfBlue);
    const __m512i v = _mm512_add_epi32(_mm512_madd_epi16(bg, pairOf(-5329, -27439)), halfRed);
    made[0][upper] = _mm512_srli_epi32(_mm512_add_epi32(y, half), 16);
    made[1][upper] = _mm512_srli_epi32(_mm512_add_epi32(u, middle), 16);
    made[2][upper] = _mm512_srli_epi32(_mm512_add_epi32(v, middle), 16);
  }
  uint8_t* const to[] = {luma, cb, cr};
  for (size_t k = 0; k < channels; k++)
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(to[k]), _mm512_cvtepi16_epi8(_mm512_packus_epi32(made[k][0], made[k][1])));
}

}  // namespace

PATCHSTREAM_WIDE void convertRow(const uint8_t* rgb, int32_t width, uint8_t* luma, uint8_t* cb, uint8_t* cr) {
  for (int32_t x = 0; x < width; x += vectorBytes) {
    const uint8_t* from = rgb + channels * x;
    const int32_t bytes = static_cast<int32_t>(channels) * (width - x);
    const __m512i first = loadAtMost(from, bytes);
    const __m512i second = loadAtMost(from + vectorBytes, bytes - vectorBytes);
    const __m512i third = loadAtMost(from + 2 * vectorBytes, bytes - 2 * vectorBytes);
    __m512i each[channels];
    for (size_t k = 0; k < channels; k++) {
      const __m512i before = _mm512_permutex2var_epi8(first, _mm512_loadu_si512(colours[k].before.data()), second);
      each[k] = _mm512_mask_permutexvar_epi8(before, colours[k].isBehind, _mm512_loadu_si512(colours[k].behind.data()), third);
    }
    convert(_mm512_castsi512_si256(each[0]), _mm512_castsi512_si256(each[1]), _mm512_castsi512_si256(each[2]), luma + x, cb + x, cr + x);
    convert(_mm512_extracti64x4_epi64(each[0], 1), _mm512_extracti64x4_epi64(each[1], 1), _mm512_extracti64x4_epi64(each[2], 1), luma + x + 32, cb + x + 32,
            cr + x + 32);
  }
}

PATCHSTREAM_WIDE void halve(const uint8_t* one, const uint8_t* other, size_t width, uint8_t* to) {
  const __m512i ones = _mm512_set1_epi8(1);
  const __m512i bias = pairOf(1, 2);
  for (size_t x = 0; x < width; x += vectorBytes) {
    const __m512i sum = _mm512_add_epi16(_mm512_maddubs_epi16(_mm512_loadu_si512(one + x), ones), _mm512_maddubs_epi16(_mm512_loadu_si512(other + x), ones));
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(to + x / 2), _mm512_cvtepi16_epi8(_mm512_srli_epi16(_mm512_add_epi16(sum, bias), 2)));
  }
}

#else

void convertRow(const uint8_t*, int32_t, uint8_t*, uint8_t*, uint8_t*) {}
void halve(const uint8_t*, const uint8_t*, size_t, uint8_t*) {}

#endif

}  // namespace patchstream
