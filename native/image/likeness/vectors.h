// How code is compiled twice: for every machine, and for those with AVX2 or AVX-512, which is not to be joined with FMA: results are the same.
#pragma once

#include "pixels/resize.h"

#define ALWAYS_INLINE __attribute__((always_inline)) inline

#if defined(__x86_64__) && defined(__GNUC__)
#define PATCHSTREAM_AVX2
#define AVX2 __attribute__((target("avx2,popcnt")))
#define AVX512 __attribute__((target("avx512f,avx512vpopcntdq,popcnt")))
#endif

namespace patchstream {

#ifdef PATCHSTREAM_AVX2
inline bool hasAvx2() {
  static const bool has = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("popcnt");
  return has && !arePassesPortable();
}

// With the instruction that counts ones.
inline bool hasAvx512() {
  static const bool has = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vpopcntdq");
  return has && hasAvx2();
}
#endif

}  // namespace patchstream
