// Loops over floats, W at a time, compiled for AVX-512, AVX2 and the plain machine, and chosen when they run. A kernel is a struct with
// `template <int W> static void run(...)`; `simd<Kernel>(...)` calls it with the machine's width.
#pragma once

#include <cstdint>
#include <cstring>

#if defined(__x86_64__) && defined(__GNUC__)
#define PATCHSTREAM_X86 1
#endif
// Intrinsics of tiles (fused/tiles/). GCC has them since 11.1, but before 11.3 only where a whole file is compiled for tiles, and as macros that take `base + i` for bytes.
#if defined(PATCHSTREAM_X86) && defined(__linux__) && !defined(__clang__) && (__GNUC__ > 11 || (__GNUC__ == 11 && __GNUC_MINOR__ >= 3))
#define PATCHSTREAM_TILES 1
#endif
#define PATCHSTREAM_INLINE inline __attribute__((always_inline))
// Before a loop of few and known turns, whose numbers are to stay in registers.
#ifdef __clang__
#define PATCHSTREAM_UNROLL _Pragma("unroll")
#else
#define PATCHSTREAM_UNROLL _Pragma("GCC unroll 16")
#endif

namespace patchstream {

template <int W>
struct Lanes {
  typedef float F __attribute__((vector_size(4 * W)));
  typedef int32_t I __attribute__((vector_size(4 * W)));
  typedef double D __attribute__((vector_size(8 * W)));
};
template <int W>
using Floats = typename Lanes<W>::F;

template <int W>
PATCHSTREAM_INLINE Floats<W> load(const float* from) {
  Floats<W> x;
  std::memcpy(&x, from, sizeof x);
  return x;
}

template <int W>
PATCHSTREAM_INLINE void store(float* to, Floats<W> x) {
  std::memcpy(to, &x, sizeof x);
}

// The last `count` < W of a row; the other lanes are `rest`.
template <int W>
PATCHSTREAM_INLINE Floats<W> loadSome(const float* from, int64_t count, float rest = 0) {
  Floats<W> x;
  for (int lane = 0; lane < W; lane++) x[lane] = lane < count ? from[lane] : rest;
  return x;
}

template <int W>
PATCHSTREAM_INLINE void storeSome(float* to, Floats<W> x, int64_t count) {
  for (int lane = 0; lane < count; lane++) to[lane] = x[lane];
}

template <int W>
PATCHSTREAM_INLINE float sumOf(Floats<W> x) {
  float part[W];
  std::memcpy(part, &x, sizeof x);
  for (int half = W / 2; half > 0; half /= 2)
    for (int lane = 0; lane < half; lane++) part[lane] += part[lane + half];
  return part[0];
}

template <int W>
PATCHSTREAM_INLINE float maxOf(Floats<W> x) {
  float part[W];
  std::memcpy(part, &x, sizeof x);
  for (int half = W / 2; half > 0; half /= 2)
    for (int lane = 0; lane < half; lane++) part[lane] = part[lane] > part[lane + half] ? part[lane] : part[lane + half];
  return part[0];
}

// eˣ to 2 ulp; 0 below -87.3, and x at most 88. Halves of ln 2 after Cody and Waite, the rest a polynomial on ±ln 2 / 2.
template <int W>
PATCHSTREAM_INLINE Floats<W> expOf(Floats<W> x) {
  using F = Floats<W>;
  using I = typename Lanes<W>::I;
  const F tooSmall = F{} - 87.3f;
  const auto gone = x < tooSmall;
  x = gone ? tooSmall : x;
  // Adding 1.5·2²³ rounds to a whole number, which then stands in the low bits.
  const F shifter = F{} + 12582912.0f;
  const F whole = (x * 1.44269504088896341f + shifter) - shifter;
  const F r = (x - whole * 0.693359375f) + whole * 2.12194440e-4f;
  F p = r * 1.9875691500e-4f + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  p = p * (r * r) + r + 1.0f;
  const I power = (__builtin_convertvector(whole, I) + 127) << 23;
  F scale;
  std::memcpy(&scale, &power, sizeof scale);
  const F y = p * scale;
  return gone ? y * 0 : y;
}

#ifdef PATCHSTREAM_X86
template <class Kernel, class... Args>
__attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma"))) void onAvx512(Args... args) {
  Kernel::template run<16>(args...);
}
template <class Kernel, class... Args>
__attribute__((target("avx2,fma"))) void onAvx2(Args... args) {
  Kernel::template run<8>(args...);
}
inline int simdLevel() {
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
      __builtin_cpu_supports("avx512vl"))
    return 2;
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") ? 1 : 0;
}
#endif

template <class Kernel, class... Args>
void simd(Args... args) {
#ifdef PATCHSTREAM_X86
  static const int level = simdLevel();
  if (level == 2) return onAvx512<Kernel>(args...);
  if (level == 1) return onAvx2<Kernel>(args...);
#endif
  Kernel::template run<4>(args...);
}

}  // namespace patchstream
