#include "fused.h"

namespace patchstream {

namespace {

// NHWC memory seen as NCHW, without a copy.
at::Tensor channelsFirst(const at::Tensor& x) { return x.permute({0, 3, 1, 2}); }
at::Tensor channelsLast(const at::Tensor& x) { return x.permute({0, 2, 3, 1}).contiguous(); }
// [3, 3, C, F] -> [F, C, 3, 3].
at::Tensor filters(const at::Tensor& weight) { return weight.permute({3, 2, 0, 1}); }

}  // namespace

at::Tensor conv3x3(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias) {
  return channelsLast(at::conv2d(channelsFirst(x), filters(weight), bias, 1, 1));
}

ConvGrad conv3x3Grad(const at::Tensor& dy, const at::Tensor& x, const at::Tensor& weight, bool withBias) {
  const int64_t F = weight.size(3);
  auto [dx, dWeight, dBias] =
      at::convolution_backward(channelsFirst(dy), channelsFirst(x), filters(weight), {{F}}, {1, 1}, {1, 1}, {1, 1}, false,
                               {0, 0}, 1, {true, true, withBias});
  return {channelsLast(dx), dWeight.permute({2, 3, 1, 0}).contiguous(), dBias};
}

}  // namespace patchstream
