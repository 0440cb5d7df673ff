#include <algorithm>

#include "cuda/kernels.h"
#include "device/device.h"
#include "fused/bfloat16.h"
#include "fused/fused.h"
#include "fused/gelu.h"
#include "fused/gemm.h"
#include "fused/panels/operations.h"
#include "fused/tiles/operations.h"
#include "fused/tiles/tiles.h"
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

// The slope is kept in the type of the products.
struct BiasGeluRows {
  template <int W, class T>
  static PATCHSTREAM_INLINE void run(float* y, T* slope, const float* bias, int64_t rows, int64_t width) {
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
      for (int64_t lane = 0; lane < width - i; lane++) slope[i + lane] = rise[lane];
    }
  }
};

// sums[i] += Σ over rows of dy, of dy·slope where there is a slope. To dPre goes what was added, where it is no more dy itself.
struct SlopeAndSums {
  template <int W, class T>
  static PATCHSTREAM_INLINE void run(const float* dy, const T* slope, T* dPre, float* sums, int64_t rows, int64_t width) {
    for (int64_t row = 0; row < rows; row++) {
      int64_t i = 0;
      for (; i + W <= width; i += W) {
        Floats<W> d = load<W>(dy + i);
        if (slope != nullptr) d *= load<W>(slope + i);
        if (dPre != nullptr) store<W>(dPre + i, d);
        if (sums != nullptr) store<W>(sums + i, load<W>(sums + i) + d);
      }
      for (; i < width; i++) {
        float d = dy[i];
        if (slope != nullptr) d *= static_cast<float>(slope[i]);
        if (dPre != nullptr) dPre[i] = d;
        if (sums != nullptr) sums[i] += d;
      }
      dy += width;
      if (slope != nullptr) slope += width;
      if (dPre != nullptr) dPre += width;
    }
  }
};

at::Tensor resultOf(const at::Tensor& x, bool narrow) { return narrow ? x.to(at::kBFloat16) : x.to(at::kFloat); }

Linear composed(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias, bool withGelu, Precision precision, bool narrow) {
  if (precision == Precision::kFloat32) {
    const at::Tensor pre = bias.defined() ? at::addmm(bias, x, weight) : at::mm(x, weight);
    return withGelu ? Linear{at::gelu(pre), pre, {}} : Linear{pre, {}, {}};
  }
  const at::Tensor kept = factor(x, precision);
  at::Tensor pre = at::mm(kept, factor(weight, precision)).to(at::kFloat);
  if (bias.defined()) pre += bias;
  return withGelu ? Linear{resultOf(at::gelu(pre), narrow), pre.to(at::kBFloat16), kept} : Linear{resultOf(pre, narrow), {}, kept};
}

LinearGrad composedGrad(const at::Tensor& dy, const at::Tensor& x, const at::Tensor& weight, const at::Tensor& saved,
                        bool withBias, Precision precision, bool narrow) {
  const at::Tensor wide = dy.to(at::kFloat);
  const at::Tensor dPre = saved.defined() ? at::gelu_backward(wide, saved.to(at::kFloat)) : wide;
  const at::Tensor change = factor(dPre, precision);
  return {resultOf(at::mm(change, factor(weight, precision).t()), narrow), at::mm(factor(x, precision).t(), change).to(at::kFloat),
          withBias ? dPre.sum(0) : at::Tensor()};
}

template <class T>
at::Tensor asFactor(const at::Tensor& x) {
  if constexpr (narrow<T>) return narrowed(x);
  return x;
}

template <class T>
Linear onThreads(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias, bool withGelu) {
  const int64_t rows = x.size(0), in = weight.size(0), out = weight.size(1);
  const auto own = x.options().dtype(c10::CppTypeToScalarType<T>::value);
  Linear result{at::empty({rows, out}, x.options()), withGelu ? at::empty({rows, out}, own) : at::Tensor(),
                narrow<T> ? at::empty({rows, in}, own) : at::Tensor()};
  const at::Tensor shift = bias.defined() || !withGelu ? bias : at::zeros({out}, x.options());
  const at::Tensor factors = asFactor<T>(weight);
  const float* from = hostData<float>(x);
  const T* right = hostData<T>(factors);
  const float* shifts = shift.defined() ? hostData<float>(shift) : nullptr;
  float* y = hostData<float>(result.y);
  T* slope = withGelu ? hostData<T>(result.saved) : nullptr;
  T* kept = narrow<T> ? hostData<T>(result.x) : nullptr;
  parallel(rows, in * out / 16, [&](int64_t begin, int64_t end, int) {
    const int64_t block = blockRows(out);
    for (int64_t row = begin; row < end; row += block) {
      const int64_t count = std::min(block, end - row);
      const T* left;
      if constexpr (narrow<T>) {
        simd<NarrowRows>(from + row * in, in, kept + row * in, count, in);
        left = kept + row * in;
      } else {
        left = from + row * in;
      }
      gemm(count, out, in, 1, OperandOf<T>{left, in}, OperandOf<T>{right, out}, 0, y + row * out, out);
      if (withGelu) {
        simd<BiasGeluRows>(y + row * out, slope + row * out, shifts, count, out);
      } else if (shifts != nullptr) {
        simd<BiasRows>(y + row * out, shifts, count, out);
      }
    }
  });
  return result;
}

template <class T>
LinearGrad gradOnThreads(const at::Tensor& dy, const at::Tensor& x, const at::Tensor& weight, const at::Tensor& saved,
                         bool withBias) {
  const int64_t rows = x.size(0), in = weight.size(0), out = weight.size(1);
  const auto wide = dy.options();
  LinearGrad grad{at::empty({rows, in}, wide), at::empty({in, out}, wide), at::Tensor()};
  const bool anew = narrow<T> || saved.defined();
  const at::Tensor dPre = anew ? at::empty({rows, out}, wide.dtype(c10::CppTypeToScalarType<T>::value)) : dy;
  const at::Tensor sums = withBias ? at::zeros({std::max(1, threadCount()), out}, wide) : at::Tensor();
  const at::Tensor factors = asFactor<T>(weight), left = asFactor<T>(x);
  const float* change = hostData<float>(dy);
  const T* slope = saved.defined() ? hostData<T>(saved) : nullptr;
  const T* right = hostData<T>(factors);
  T* before = hostData<T>(dPre);
  float* dx = hostData<float>(grad.dx);
  parallel(rows, in * out / 16, [&](int64_t begin, int64_t end, int part) {
    const int64_t block = blockRows(out);
    float* partSums = withBias ? hostData<float>(sums) + part * out : nullptr;
    for (int64_t row = begin; row < end; row += block) {
      const int64_t count = std::min(block, end - row);
      simd<SlopeAndSums>(change + row * out, slope == nullptr ? slope : slope + row * out, anew ? before + row * out : nullptr,
                         partSums, count, out);
      gemm(count, in, out, 1, OperandOf<T>{before + row * out, out}, OperandOf<T>{right, out, true}, 0, dx + row * in, in);
    }
  });
  gemm(in, out, rows, 1, OperandOf<T>{hostData<T>(left), in, true}, OperandOf<T>{before, out}, 0,
       hostData<float>(grad.dWeight), out);
  if (withBias) grad.dBias = sums.sum(0);
  return grad;
}

}  // namespace

Linear linear(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias, bool withGelu, Precision precision, bool narrow) {
  if (!onHost(x)) {
    if (precision == Precision::kBfloat16)
      if (const auto made = linearByKernels(x, weight, bias, withGelu, narrow)) return *made;
    return composed(x, weight, bias, withGelu, precision, narrow);
  }
  if (precision == Precision::kBfloat16 && hostHasTiles()) return linearByTiles(x, weight, bias, withGelu, narrow);
  return precision == Precision::kBfloat16 ? onThreads<BFloat16>(x, weight, bias, withGelu)
                                           : onThreads<float>(x, weight, bias, withGelu);
}

LinearGrad linearGrad(const at::Tensor& dy, const at::Tensor& x, const at::Tensor& weight, const at::Tensor& saved,
                      bool withBias, Precision precision, bool narrow) {
  if (!onHost(dy)) {
    if (precision == Precision::kBfloat16)
      if (const auto made = linearGradByKernels(dy, x, weight, saved, withBias, narrow)) return *made;
    return composedGrad(dy, x, weight, saved, withBias, precision, narrow);
  }
  if (precision == Precision::kBfloat16 && hostHasTiles()) return linearGradByTiles(dy, x, weight, saved, withBias, narrow);
  if (precision == Precision::kFloat32 && panelsServeGrad(x.size(0), weight.size(0), weight.size(1))) return linearGradByPanels(dy, x, weight, saved, withBias);
  return precision == Precision::kBfloat16 ? gradOnThreads<BFloat16>(dy, x, weight, saved, withBias)
                                           : gradOnThreads<float>(dy, x, weight, saved, withBias);
}

}  // namespace patchstream
