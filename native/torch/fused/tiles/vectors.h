// Loops over 16 numbers at a time for processors with tiles, which have AVX-512 and its conversions to bfloat16. To be used where PATCHSTREAM_TILES is, in functions that are
// PATCHSTREAM_ON_TILES.
#pragma once

#include "fused/bfloat16.h"
#include "fused/tiles/tiles.h"

#ifdef PATCHSTREAM_TILES

// GCC 12 warns of registers in its own header that are left as they are on purpose.
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#pragma GCC diagnostic ignored "-Wuninitialized"
#include <immintrin.h>

#include <algorithm>

#define PATCHSTREAM_ON_TILES __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512bf16,avx2,fma,amx-tile,amx-bf16")))

namespace patchstream {

constexpr int64_t lanes = 16;

// The first `count` of 32 or 16 lanes.
PATCHSTREAM_ON_TILES inline __mmask32 firstOf32(int64_t count) {
  return count >= 32 ? ~__mmask32{0} : static_cast<__mmask32>((uint32_t{1} << std::max<int64_t>(count, 0)) - 1);
}
PATCHSTREAM_ON_TILES inline __mmask16 firstOf16(int64_t count) { return static_cast<__mmask16>(firstOf32(std::min<int64_t>(count, 16))); }

// The lanes that the mask names; zeros in the others.
PATCHSTREAM_ON_TILES inline __m512 get(const float* from, __mmask16 mask = 0xffff) { return _mm512_maskz_loadu_ps(mask, from); }
PATCHSTREAM_ON_TILES inline __m512 get(const BFloat16* from, __mmask16 mask = 0xffff) {
  return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(mask, from)), 16));
}

// To bfloat16 by the processor's own instruction, to the nearest, ties to even; it takes the smallest numbers for zero, as its products do.
PATCHSTREAM_ON_TILES inline void put(float* to, __m512 x, __mmask16 mask = 0xffff) { _mm512_mask_storeu_ps(to, mask, x); }
PATCHSTREAM_ON_TILES inline void put(BFloat16* to, __m512 x, __mmask16 mask = 0xffff) { _mm256_mask_storeu_epi16(to, mask, (__m256i)_mm512_cvtneps_pbh(x)); }

// Numbers of bfloat16, whatever type holds them.
PATCHSTREAM_ON_TILES inline void putRounded(BFloat16* to, __m512 x, __mmask16 mask) { put(to, x, mask); }
PATCHSTREAM_ON_TILES inline void putRounded(float* to, __m512 x, __mmask16 mask) {
  put(to, _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32((__m256i)_mm512_cvtneps_pbh(x)), 16)), mask);
}

// eˣ for x ≤ 0, of relative error 3e-6: a polynomial on ±ln 2 / 2, times a power of two.
PATCHSTREAM_ON_TILES inline __m512 expOfNegative(__m512 x) {
  // What is no number stays none: the second operand is taken then.
  x = _mm512_max_ps(_mm512_set1_ps(-110), x);
  const __m512 power = _mm512_roundscale_ps(_mm512_mul_ps(x, _mm512_set1_ps(1.44269504f)), _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
  const __m512 rest = _mm512_fnmadd_ps(power, _mm512_set1_ps(0.693147181f), x);
  __m512 y = _mm512_fmadd_ps(rest, _mm512_set1_ps(0.0414586067f), _mm512_set1_ps(0.167909071f));
  y = _mm512_fmadd_ps(y, rest, _mm512_set1_ps(0.500043571f));
  y = _mm512_fmadd_ps(y, rest, _mm512_set1_ps(0.999963403f));
  y = _mm512_fmadd_ps(y, rest, _mm512_set1_ps(0.999999285f));
  return _mm512_scalef_ps(y, power);
}

// x·Φ(x) and its slope, as `geluOf` (fused/gelu.h) with shorter polynomials: of relative error 1e-4, a fortieth of what bfloat16 rounds.
PATCHSTREAM_ON_TILES inline void geluAndSlope(__m512 x, __m512& y, __m512& slope) {
  const __m512 one = _mm512_set1_ps(1), half = _mm512_set1_ps(0.5f);
  const __m512 t = _mm512_rcp14_ps(_mm512_fmadd_ps(_mm512_abs_ps(x), _mm512_set1_ps(0.353553391f), one));
  __m512 p = _mm512_fmadd_ps(t, _mm512_set1_ps(-0.0403337367f), _mm512_set1_ps(0.0282205157f));
  p = _mm512_fmadd_ps(p, t, _mm512_set1_ps(0.116064593f));
  p = _mm512_fmadd_ps(p, t, _mm512_set1_ps(0.112426646f));
  p = _mm512_fmadd_ps(p, t, _mm512_set1_ps(0.142618954f));
  p = _mm512_fmadd_ps(p, t, _mm512_set1_ps(0.140979916f));
  const __m512 bell = expOfNegative(_mm512_mul_ps(_mm512_mul_ps(x, x), _mm512_sub_ps(_mm512_setzero_ps(), half)));
  const __m512 tail = _mm512_mul_ps(_mm512_mul_ps(bell, p), t);
  const __mmask16 isNegative = _mm512_cmp_ps_mask(x, _mm512_setzero_ps(), _CMP_LT_OQ);
  const __m512 share = _mm512_mask_mov_ps(_mm512_sub_ps(one, tail), isNegative, tail);
  y = _mm512_mul_ps(x, share);
  // Where the bell is gone, x·bell would still be 0·∞ for an infinite x.
  const __mmask16 gone = _mm512_cmp_ps_mask(bell, _mm512_setzero_ps(), _CMP_EQ_OQ);
  slope = _mm512_mask_mov_ps(_mm512_fmadd_ps(_mm512_mul_ps(x, bell), _mm512_set1_ps(0.398942280f), share), gone, share);
}

}  // namespace patchstream

#endif
