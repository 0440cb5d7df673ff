#include <algorithm>

#include "device/device.h"
#include "fused/fused.h"
#include "fused/gelu.h"
#include "fused/gemm.h"
#include "threads.h"

namespace patchstream {

namespace {

// Rows are taken in blocks whose results stay in the core's cache until bias and gelu have been over them.
constexpr int64_t blockFloats = 128 * 1024;

int64_t blockRows(int64_t width) { return std::max<int64_t>(16, blockFloats / std::max<int64_t>(width, 1)); }

struct BiasRows {
  template <int W>
  static PATCHSTREAM_INLINE void run(float* y, const float* bias, int64_t rows, int64_t width) {
    for (int64_t row = 0; row < rows; row++, y += width) {
      int64_t i = 0;
      for (; i + W <= width; i += W) store<W>(y + i, load<W>(y + i) + load<W>(bias + i));
      for (; i < width; i++) y[i] += bias[i];
    }
  }
};

struct BiasGeluRows {
  template <int W>
  static PATCHSTREAM_INLINE void run(float* y, float* slope, const float* bias, int64_t rows, int64_t width) {
    for (int64_t row = 0; row < rows; row++, y += width, slope += width) {
      Floats<W> value, rise;
      int64_t i = 0;
      for (; i + W <= width; i += W) {
        geluOf<W>(load<W>(y + i) + load<W>(bias + i), value, rise);
        store<W>(y + i, value);
        store<W>(slope + i, rise);
      }
      if (i == width) continue;
      geluOf<W>(loadSome<W>(y + i, width - i) + loadSome<W>(bias + i, width - i), value, rise);
      storeSome<W>(y + i, value, width - i);
      storeSome<W>(slope + i, rise, width - i);
    }
  }
};

// sums[i] += Σ over rows of dy; where there is a slope, of dy·slope, which is also written to dPre.
struct SlopeAndSums {
  template <int W>
  static PATCHSTREAM_INLINE void run(const float* dy, const float* slope, float* dPre, float* sums, int64_t rows,
                                     int64_t width) {
    for (int64_t row = 0; row < rows; row++) {
      int64_t i = 0;
      for (; i + W <= width; i += W) {
        Floats<W> d = load<W>(dy + i);
        if (slope != nullptr) store<W>(dPre + i, d *= load<W>(slope + i));
        if (sums != nullptr) store<W>(sums + i, load<W>(sums + i) + d);
      }
      for (; i < width; i++) {
        float d = dy[i];
        if (slope != nullptr) dPre[i] = d *= slope[i];
        if (sums != nullptr) sums[i] += d;
      }
      dy += width;
      if (slope == nullptr) continue;
      slope += width;
      dPre += width;
    }
  }
};

Linear composed(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias, bool withGelu) {
  const at::Tensor pre = bias.defined() ? at::addmm(bias, x, weight) : at::mm(x, weight);
  return withGelu ? Linear{at::gelu(pre), pre} : Linear{pre, at::Tensor()};
}

LinearGrad composedGrad(const at::Tensor& dy, const at::Tensor& x, const at::Tensor& weight, const at::Tensor& saved,
                        bool withBias) {
  const at::Tensor dPre = saved.defined() ? at::gelu_backward(dy, saved) : dy;
  return {at::mm(dPre, weight.t()), at::mm(x.t(), dPre), withBias ? dPre.sum(0) : at::Tensor()};
}

}  // namespace

Linear linear(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias, bool withGelu) {
  if (!onHost(x)) return composed(x, weight, bias, withGelu);
  const int64_t rows = x.size(0), in = weight.size(0), out = weight.size(1);
  Linear result{at::empty({rows, out}, x.options()), withGelu ? at::empty({rows, out}, x.options()) : at::Tensor()};
  const at::Tensor shift = bias.defined() || !withGelu ? bias : at::zeros({out}, x.options());
  const float* from = hostData<float>(x);
  const float* factors = hostData<float>(weight);
  const float* shifts = shift.defined() ? hostData<float>(shift) : nullptr;
  float* y = hostData<float>(result.y);
  float* slope = withGelu ? hostData<float>(result.saved) : nullptr;
  parallel(rows, in * out / 16, [&](int64_t begin, int64_t end, int) {
    const int64_t block = blockRows(out);
    for (int64_t row = begin; row < end; row += block) {
      const int64_t count = std::min(block, end - row);
      gemm(count, out, in, 1, {from + row * in, in}, {factors, out}, 0, y + row * out, out);
      if (withGelu) {
        simd<BiasGeluRows>(y + row * out, slope + row * out, shifts, count, out);
      } else if (shifts != nullptr) {
        simd<BiasRows>(y + row * out, shifts, count, out);
      }
    }
  });
  return result;
}

LinearGrad linearGrad(const at::Tensor& dy, const at::Tensor& x, const at::Tensor& weight, const at::Tensor& saved,
                      bool withBias) {
  if (!onHost(dy)) return composedGrad(dy, x, weight, saved, withBias);
  const int64_t rows = x.size(0), in = weight.size(0), out = weight.size(1);
  LinearGrad grad{at::empty({rows, in}, x.options()), at::empty({in, out}, x.options()), at::Tensor()};
  const at::Tensor dPre = saved.defined() ? at::empty_like(dy) : dy;
  const at::Tensor sums = withBias ? at::zeros({std::max(1, threadCount()), out}, x.options()) : at::Tensor();
  const float* change = hostData<float>(dy);
  const float* slope = saved.defined() ? hostData<float>(saved) : nullptr;
  const float* factors = hostData<float>(weight);
  float* before = hostData<float>(dPre);
  float* dx = hostData<float>(grad.dx);
  parallel(rows, in * out / 16, [&](int64_t begin, int64_t end, int part) {
    const int64_t block = blockRows(out);
    float* partSums = withBias ? hostData<float>(sums) + part * out : nullptr;
    for (int64_t row = begin; row < end; row += block) {
      const int64_t count = std::min(block, end - row);
      simd<SlopeAndSums>(change + row * out, slope == nullptr ? slope : slope + row * out, before + row * out, partSums,
                         count, out);
      gemm(count, in, out, 1, {before + row * out, out}, {factors, out, true}, 0, dx + row * in, in);
    }
  });
  gemm(in, out, rows, 1, {hostData<float>(x), in, true}, {before, out}, 0, hostData<float>(grad.dWeight), out);
  if (withBias) grad.dBias = sums.sum(0);
  return grad;
}

}  // namespace patchstream
