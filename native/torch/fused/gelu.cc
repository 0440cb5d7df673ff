#include "fused/gelu.h"

#include "device/device.h"
#include "fused/fused.h"
#include "threads.h"

namespace patchstream {

namespace {

struct GeluLoop {
  template <int W>
  static PATCHSTREAM_INLINE void run(const float* x, float* y, float* slope, int64_t count) {
    Floats<W> value, rise;
    int64_t i = 0;
    for (; i + W <= count; i += W) {
      geluOf<W>(load<W>(x + i), value, rise);
      store<W>(y + i, value);
      store<W>(slope + i, rise);
    }
    if (i == count) return;
    geluOf<W>(loadSome<W>(x + i, count - i), value, rise);
    storeSome<W>(y + i, value, count - i);
    storeSome<W>(slope + i, rise, count - i);
  }
};

}  // namespace

Gelu geluWithSlope(const at::Tensor& x) {
  if (!onHost(x)) return {at::gelu(x), at::gelu_backward(at::ones_like(x), x)};
  Gelu out{at::empty_like(x), at::empty_like(x)};
  const float* from = hostData<float>(x);
  float* y = hostData<float>(out.y);
  float* slope = hostData<float>(out.slope);
  parallel(x.numel(), 4, [&](int64_t begin, int64_t end, int) {
    simd<GeluLoop>(from + begin, y + begin, slope + begin, end - begin);
  });
  return out;
}

}  // namespace patchstream
