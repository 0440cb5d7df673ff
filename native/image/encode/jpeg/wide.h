#pragma once

// How the vectors of AVX-512 are compiled that a JPEG is made with.
#if defined(__x86_64__) && defined(__GNUC__)
#define PATCHSTREAM_WIDE __attribute__((target("avx512f,avx512bw,avx512vl,avx512cd,avx512vbmi,avx512vbmi2,popcnt")))
#include <immintrin.h>

// GCC's own intrinsics begin with a vector that holds nothing.
#ifndef __clang__
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#pragma GCC diagnostic ignored "-Wuninitialized"
#endif

namespace patchstream {

inline bool isWide() {
  static const bool is = __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512cd") &&
                         __builtin_cpu_supports("avx512vbmi") && __builtin_cpu_supports("avx512vbmi2") && __builtin_cpu_supports("popcnt");
  return is;
}

// Two numbers of 16 bits, in turns.
PATCHSTREAM_WIDE inline __m512i pairOf(int32_t even, int32_t odd) {
  return _mm512_set1_epi32(static_cast<int32_t>(static_cast<uint32_t>(odd) << 16 | (static_cast<uint32_t>(even) & 0xFFFF)));
}

}  // namespace patchstream
#endif
