#include "fused/fused.h"

#include <algorithm>

#include "fused/panels/operations.h"
#include "fused/panels/panels.h"

namespace patchstream {

namespace {

// NHWC memory seen as NCHW, without a copy.
at::Tensor channelsFirst(const at::Tensor& x) { return x.permute({0, 3, 1, 2}); }
at::Tensor channelsLast(const at::Tensor& x) { return x.permute({0, 2, 3, 1}).contiguous(); }
// [3, 3, C, F] -> [F, C, 3, 3] with the channels last in memory, as convolutions take it. As one transposed matrix ATen copies it in blocks; of a permuted
// view a convolution makes the same number by number, which took an eighth of a step of SRMAE tiny at micro-batch 4.
at::Tensor filters(const at::Tensor& weight) {
  const int64_t C = weight.size(2), F = weight.size(3);
  return weight.reshape({9 * C, F}).t().contiguous().view({F, 3, 3, C}).permute({0, 3, 1, 2});
}
// [F, C, 3, 3] -> [3, 3, C, F].
at::Tensor fromFilters(const at::Tensor& weight) {
  const int64_t F = weight.size(0), C = weight.size(1);
  return weight.permute({0, 2, 3, 1}).reshape({F, 9 * C}).t().contiguous().view({3, 3, C, F});
}

// Where a picture is smaller than a tile, most of what is multiplied is zeros outside of it; and the few cells that a weight meets are often all zeros of relu: its gradient is zero, of
// which Winograd leaves roundings of its neighbours', and Adam makes them as large as any.
constexpr int64_t leastSide = 4;

bool inPanels(const at::Tensor& x, const at::Tensor& weight) {
  return onHost(x) && hostHasPanels() && x.size(0) > 0 && std::min(x.size(1), x.size(2)) >= leastSide && weight.numel() > 0 && weight.size(2) % panelWidth == 0 && weight.size(3) % panelWidth == 0;
}

}  // namespace

at::Tensor conv3x3(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias, Precision precision) {
  if (precision == Precision::kFloat32 && inPanels(x, weight)) return conv3x3ByPanels(x, weight, bias);
  if (precision == Precision::kFloat32) return channelsLast(at::conv2d(channelsFirst(x), filters(weight), bias, 1, 1));
  const at::Tensor y = channelsLast(at::conv2d(channelsFirst(factor(x, precision)), filters(factor(weight, precision)), {}, 1, 1));
  return bias.defined() ? y.to(at::kFloat).add_(bias) : y.to(at::kFloat);
}

ConvGrad conv3x3Grad(const at::Tensor& dy, const at::Tensor& x, const at::Tensor& weight, bool withBias, Precision precision) {
  const int64_t F = weight.size(3);
  const bool wide = precision == Precision::kFloat32;
  if (wide && inPanels(x, weight)) return conv3x3GradByPanels(dy, x, weight, withBias);
  auto [dx, dWeight, dBias] = at::convolution_backward(
      channelsFirst(factor(dy, precision)), channelsFirst(factor(x, precision)), filters(factor(weight, precision)), {{F}}, {1, 1},
      {1, 1}, {1, 1}, false, {0, 0}, 1, {true, true, withBias && wide});
  if (wide) return {channelsLast(dx), fromFilters(dWeight), dBias};
  return {channelsLast(dx).to(at::kFloat), fromFilters(dWeight).to(at::kFloat),
          withBias ? dy.reshape({-1, F}).sum(0) : at::Tensor()};
}

}  // namespace patchstream
