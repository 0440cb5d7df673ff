// Products of bfloat16 numbers with sums in float32, and what goes from one type to the other.
#pragma once

#include <ATen/ATen.h>
#include <c10/util/BFloat16.h>

#include <cstring>
#include <type_traits>

#include "device/device.h"
#include "fused/simd.h"

namespace patchstream {

using c10::BFloat16;

// In which type the factors of a model's products are given to the processor or the device. Sums, norms, softmax and losses are float32 always.
enum class Precision { kFloat32 = 0, kBfloat16 = 1 };

template <class T>
constexpr bool narrow = std::is_same_v<T, BFloat16>;

// A tensor as a factor of ATen's products, which round their results to the type of the factors.
inline at::Tensor factor(const at::Tensor& x, Precision precision) {
  return precision == Precision::kBfloat16 ? x.to(at::kBFloat16) : x;
}

// Whether the processor multiplies bfloat16 by instructions of its own, which are twice as fast as those of float32 or more: AVX-512 BF16, which those with AMX have as well.
// Without them libraries convert at each step and are slower than in float32.
bool hostMultipliesBfloat16();

template <int W>
struct Halves {
  typedef uint32_t U __attribute__((vector_size(4 * W)));
  typedef uint16_t H __attribute__((vector_size(2 * W)));
};

// W floats to the nearest bfloat16, ties to even; what is no number stays none.
template <int W>
PATCHSTREAM_INLINE void store(BFloat16* to, Floats<W> x) {
  using U = typename Halves<W>::U;
  using H = typename Halves<W>::H;
  U bits;
  std::memcpy(&bits, &x, sizeof bits);
  const U rounded = (bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16;
  const U none = U{} + 0x7fc0u;
  const U kept = x == x ? rounded : none;
  const H upper = __builtin_convertvector(kept, H);
  std::memcpy(to, &upper, sizeof upper);
}

template <int W>
PATCHSTREAM_INLINE Floats<W> load(const BFloat16* from) {
  using U = typename Halves<W>::U;
  using H = typename Halves<W>::H;
  H upper;
  std::memcpy(&upper, from, sizeof upper);
  const U bits = __builtin_convertvector(upper, U) << 16;
  Floats<W> x;
  std::memcpy(&x, &bits, sizeof x);
  return x;
}

// Rows of `width` numbers, `stride` apart, to rows without gaps.
struct NarrowRows {
  template <int W>
  static PATCHSTREAM_INLINE void run(const float* from, int64_t stride, BFloat16* to, int64_t rows, int64_t width) {
    for (int64_t row = 0; row < rows; row++, from += stride, to += width) {
      int64_t i = 0;
      for (; i + W <= width; i += W) store<W>(to + i, load<W>(from + i));
      for (; i < width; i++) to[i] = from[i];
    }
  }
};

// A dense tensor of the host in bfloat16; itself where it is already.
at::Tensor narrowed(const at::Tensor& x);

}  // namespace patchstream
