#include <algorithm>
#include <cmath>

#include "cuda/kernels.h"
#include "device/device.h"
#include "fused/bfloat16.h"
#include "fused/fused.h"
#include "fused/simd.h"
#include "threads.h"

namespace patchstream {

namespace {

struct NormRows {
  template <int W, class T>
  static PATCHSTREAM_INLINE void run(const float* x, const float* gain, const float* bias, T* y, float* mean, float* rstd, int64_t rows, int64_t width,
                                     float eps) {
    using F = Floats<W>;
    const int64_t whole = width - width % W;
    const int64_t rest = width - whole;
    for (int64_t row = 0; row < rows; row++, x += width, y += width) {
      F sum{};
      for (int64_t i = 0; i < whole; i += W) sum += load<W>(x + i);
      if (rest > 0) sum += loadSome<W>(x + whole, rest);
      const float centre = sumOf<W>(sum) / width;
      F squares{};
      for (int64_t i = 0; i < whole; i += W) {
        const F d = load<W>(x + i) - centre;
        squares += d * d;
      }
      if (rest > 0) {
        const F d = loadSome<W>(x + whole, rest, centre) - centre;
        squares += d * d;
      }
      const float scale = 1 / std::sqrt(sumOf<W>(squares) / width + eps);
      for (int64_t i = 0; i < whole; i += W)
        store<W>(y + i, (load<W>(x + i) - centre) * scale * load<W>(gain + i) + load<W>(bias + i));
      for (int64_t i = whole; i < width; i++) y[i] = (x[i] - centre) * scale * gain[i] + bias[i];
      mean[row] = centre;
      rstd[row] = scale;
    }
  }
};

struct NormGradRows {
  template <int W, class T>
  static PATCHSTREAM_INLINE void run(const T* dy, const float* x, const float* mean, const float* rstd, const float* gain, float* dx, float* dGain,
                                     float* dBias, int64_t rows, int64_t width) {
    using F = Floats<W>;
    const int64_t whole = width - width % W;
    for (int64_t row = 0; row < rows; row++, dy += width, x += width, dx += width) {
      const float centre = mean[row];
      const float scale = rstd[row];
      F sums{}, alongs{};
      for (int64_t i = 0; i < whole; i += W) {
        const F d = load<W>(dy + i);
        const F unit = (load<W>(x + i) - centre) * scale;
        store<W>(dGain + i, load<W>(dGain + i) + d * unit);
        store<W>(dBias + i, load<W>(dBias + i) + d);
        const F dUnit = d * load<W>(gain + i);
        sums += dUnit;
        alongs += dUnit * unit;
      }
      float sum = sumOf<W>(sums);
      float along = sumOf<W>(alongs);
      for (int64_t i = whole; i < width; i++) {
        const float d = dy[i];
        const float unit = (x[i] - centre) * scale;
        dGain[i] += d * unit;
        dBias[i] += d;
        sum += d * gain[i];
        along += d * gain[i] * unit;
      }
      sum /= width;
      along /= width;
      for (int64_t i = 0; i < whole; i += W) {
        const F unit = (load<W>(x + i) - centre) * scale;
        store<W>(dx + i, (load<W>(dy + i) * load<W>(gain + i) - sum - unit * along) * scale);
      }
      for (int64_t i = whole; i < width; i++) {
        const float unit = (x[i] - centre) * scale;
        dx[i] = (static_cast<float>(dy[i]) * gain[i] - sum - unit * along) * scale;
      }
    }
  }
};

template <class T>
LayerNorm onThreads(const at::Tensor& x, const at::Tensor& gain, const at::Tensor& bias, double eps) {
  const int64_t rows = x.size(0), width = x.size(1);
  LayerNorm out{at::empty(x.sizes(), x.options().dtype(c10::CppTypeToScalarType<T>::value)), at::empty({rows}, x.options()),
                at::empty({rows}, x.options())};
  const float* from = hostData<float>(x);
  const float* gains = hostData<float>(gain);
  const float* biases = hostData<float>(bias);
  T* y = hostData<T>(out.y);
  float* mean = hostData<float>(out.mean);
  float* rstd = hostData<float>(out.rstd);
  parallel(rows, width, [&](int64_t begin, int64_t end, int) {
    simd<NormRows>(from + begin * width, gains, biases, y + begin * width, mean + begin, rstd + begin, end - begin, width,
                   static_cast<float>(eps));
  });
  return out;
}

template <class T>
LayerNormGrad gradOnThreads(const at::Tensor& dy, const at::Tensor& x, const at::Tensor& mean, const at::Tensor& rstd, const at::Tensor& gain) {
  const int64_t rows = x.size(0), width = x.size(1);
  const at::Tensor dx = at::empty_like(x);
  const at::Tensor sums = at::zeros({threadCount(), 2, width}, x.options());
  const T* change = hostData<T>(dy);
  const float* from = hostData<float>(x);
  const float* means = hostData<float>(mean);
  const float* scales = hostData<float>(rstd);
  const float* gains = hostData<float>(gain);
  float* out = hostData<float>(dx);
  float* partSums = hostData<float>(sums);
  parallel(rows, width, [&](int64_t begin, int64_t end, int part) {
    float* dGain = partSums + part * 2 * width;
    simd<NormGradRows>(change + begin * width, from + begin * width, means + begin, scales + begin, gains,
                       out + begin * width, dGain, dGain + width, end - begin, width);
  });
  const at::Tensor both = sums.sum(0);
  return {dx, both[0].clone(), both[1].clone()};
}

}  // namespace

LayerNorm layerNorm(const at::Tensor& x, const at::Tensor& gain, const at::Tensor& bias, double eps, bool narrow) {
  const int64_t rows = x.size(0), width = x.size(1);
  if (!onHost(x)) {
    if (const auto made = layerNormByKernels(x, gain, bias, eps, narrow)) return *made;
    auto [y, mean, rstd] = at::native_layer_norm(x, {width}, gain, bias, eps);
    return {narrow ? y.to(at::kBFloat16) : y, mean.view({rows}), rstd.view({rows})};
  }
  return narrow ? onThreads<BFloat16>(x, gain, bias, eps) : onThreads<float>(x, gain, bias, eps);
}

LayerNormGrad layerNormGrad(const at::Tensor& dy, const at::Tensor& x, const at::Tensor& mean, const at::Tensor& rstd,
                            const at::Tensor& gain) {
  const int64_t rows = x.size(0), width = x.size(1);
  if (!onHost(x)) {
    if (const auto made = layerNormGradByKernels(dy, x, mean, rstd, gain)) return *made;
    auto [dx, dGain, dBias] =
        at::native_layer_norm_backward(dy.to(at::kFloat), x, {width}, mean.view({rows, 1}), rstd.view({rows, 1}), gain,
                                       at::zeros_like(gain), {true, true, true});
    return {dx, dGain, dBias};
  }
  return dy.scalar_type() == at::kBFloat16 ? gradOnThreads<BFloat16>(dy, x, mean, rstd, gain) : gradOnThreads<float>(dy, x, mean, rstd, gain);
}

}  // namespace patchstream
