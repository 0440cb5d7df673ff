#include "fused/bfloat16.h"

#include <ATen/ATen.h>
#if defined(__x86_64__)
#include <cpuid.h>
#endif

#include "threads.h"

namespace patchstream {

bool hostMultipliesBfloat16() {
#ifdef PATCHSTREAM_X86
  static const bool does = [] {
    unsigned a = 0, b = 0, c = 0, d = 0;
    // Bit 5 of the first word of leaf 7.1; that the system keeps the registers is told with AVX-512 itself.
    return simdLevel() == 2 && __get_cpuid_count(7, 1, &a, &b, &c, &d) != 0 && (a & (1u << 5)) != 0;
  }();
  return does;
#else
  return false;
#endif
}

at::Tensor narrowed(const at::Tensor& x) {
  if (x.scalar_type() == at::kBFloat16) return x;
  const at::Tensor y = at::empty(x.sizes(), x.options().dtype(at::kBFloat16));
  const float* from = hostData<float>(x);
  auto* to = hostData<BFloat16>(y);
  parallel(x.numel(), 1, [&](int64_t begin, int64_t end, int) {
    simd<NarrowRows>(from + begin, end - begin, to + begin, int64_t{1}, end - begin);
  });
  return y;
}

}  // namespace patchstream
