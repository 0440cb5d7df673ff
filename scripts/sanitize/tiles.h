// The processor's tiles and masked loads in plain C++, for scripts/sanitize-torch.mjs: a sanitizer sees which numbers they read and write, and processors without tiles run
// what is written for those that have them. Needs AVX-512.
#pragma once

#include <immintrin.h>

#include <cstdint>
#include <cstring>

// What is given vectors, or gives them, is called as those are that have them.
#define EMULATED_VECTORS __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl")))

namespace emulated {

struct Tile {
  alignas(64) uint8_t bytes[16][64];
};
inline Tile& tile(int number) {
  thread_local Tile tiles[8];
  return tiles[number];
}
inline void load(int number, const void* from, int64_t stride) {
  for (int i = 0; i < 16; i++) std::memcpy(tile(number).bytes[i], static_cast<const uint8_t*>(from) + i * stride, 64);
}
inline void store(int number, void* to, int64_t stride) {
  for (int i = 0; i < 16; i++) std::memcpy(static_cast<uint8_t*>(to) + i * stride, tile(number).bytes[i], 64);
}
inline float wide(uint16_t x) {
  const uint32_t bits = uint32_t{x} << 16;
  float y;
  std::memcpy(&y, &bits, sizeof y);
  return y;
}
inline uint16_t narrow(float x) {
  uint32_t bits;
  std::memcpy(&bits, &x, sizeof bits);
  if (x != x) return 0x7fc0;
  // The smallest numbers are zero to these instructions.
  if ((bits & 0x7f800000u) == 0) return static_cast<uint16_t>(bits >> 31 << 15);
  return static_cast<uint16_t>((bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16);
}
// to [16, 16] += left [16, 32] · right, whose rows are pairs of rows.
inline void multiply(int to, int left, int right) {
  float sums[16][16];
  uint16_t a[16][32], b[16][32];
  std::memcpy(sums, &tile(to), sizeof sums);
  std::memcpy(a, &tile(left), sizeof a);
  std::memcpy(b, &tile(right), sizeof b);
  for (int i = 0; i < 16; i++)
    for (int k = 0; k < 16; k++)
      for (int j = 0; j < 16; j++) sums[i][j] += wide(a[i][2 * k]) * wide(b[k][2 * j]) + wide(a[i][2 * k + 1]) * wide(b[k][2 * j + 1]);
  std::memcpy(&tile(to), sums, sizeof sums);
}

// Vectors as arrays: those lanes of memory that a mask names, and no others, are touched.
template <class Vector, class T, class Mask>
EMULATED_VECTORS Vector masked(Mask mask, const void* from) {
  T lanes[sizeof(Vector) / sizeof(T)] = {};
  for (size_t i = 0; i < sizeof(Vector) / sizeof(T); i++)
    if ((mask >> i & 1) != 0) lanes[i] = static_cast<const T*>(from)[i];
  Vector x;
  std::memcpy(&x, lanes, sizeof x);
  return x;
}
template <class T, class Mask, class Vector>
EMULATED_VECTORS void putMasked(void* to, Mask mask, const Vector& x) {
  T lanes[sizeof(Vector) / sizeof(T)];
  std::memcpy(lanes, &x, sizeof x);
  for (size_t i = 0; i < sizeof(Vector) / sizeof(T); i++)
    if ((mask >> i & 1) != 0) static_cast<T*>(to)[i] = lanes[i];
}
template <class Vector, size_t count>
EMULATED_VECTORS Vector narrowed(const float (&from)[count]) {
  uint16_t lanes[count];
  for (size_t i = 0; i < count; i++) lanes[i] = narrow(from[i]);
  Vector x;
  static_assert(sizeof x == sizeof lanes);
  std::memcpy(&x, lanes, sizeof x);
  return x;
}
template <class... Vectors>
EMULATED_VECTORS auto floats(const Vectors&... all) {
  struct {
    float lanes[sizeof...(Vectors) * 16];
  } made;
  size_t at = 0;
  ((std::memcpy(made.lanes + at, &all, sizeof all), at += 16), ...);
  return made;
}
EMULATED_VECTORS inline __m512 gathered(const __m512& rest, uint16_t mask, const __m512i& at, const float* from) {
  float lanes[16];
  int32_t places[16];
  std::memcpy(lanes, &rest, sizeof lanes);
  std::memcpy(places, &at, sizeof places);
  for (int i = 0; i < 16; i++)
    if ((mask >> i & 1) != 0) lanes[i] = from[places[i]];
  __m512 x;
  std::memcpy(&x, lanes, sizeof x);
  return x;
}

}  // namespace emulated

#undef _tile_loadd
#undef _tile_stored
#undef _tile_zero
#undef _tile_dpbf16ps
#undef _mm512_mask_i32gather_ps
#define _tile_loadconfig(from) static_cast<void>(from)
#define _tile_release() static_cast<void>(0)
#define _tile_zero(number) std::memset(&emulated::tile(number), 0, sizeof(emulated::Tile))
#define _tile_loadd(number, from, stride) emulated::load(number, from, stride)
#define _tile_stored(number, to, stride) emulated::store(number, to, stride)
#define _tile_dpbf16ps(to, left, right) emulated::multiply(to, left, right)
#define _mm512_maskz_loadu_ps(mask, from) emulated::masked<__m512, float, __mmask16>(mask, from)
#define _mm512_maskz_loadu_epi32(mask, from) emulated::masked<__m512i, int32_t, __mmask16>(mask, from)
#define _mm512_maskz_loadu_epi16(mask, from) emulated::masked<__m512i, uint16_t, __mmask32>(mask, from)
#define _mm256_maskz_loadu_epi16(mask, from) emulated::masked<__m256i, uint16_t, __mmask16>(mask, from)
#define _mm512_mask_storeu_ps(to, mask, x) emulated::putMasked<float, __mmask16>(to, mask, x)
#define _mm256_mask_storeu_epi16(to, mask, x) emulated::putMasked<uint16_t, __mmask16>(to, mask, x)
#define _mm512_mask_i32gather_ps(rest, mask, at, from, scale) emulated::gathered(rest, mask, at, from)
#define _mm512_cvtneps_pbh(x) emulated::narrowed<__m256i>(emulated::floats(x).lanes)
#define _mm512_cvtne2ps_pbh(high, low) emulated::narrowed<__m512i>(emulated::floats(low, high).lanes)
