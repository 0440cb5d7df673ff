// The fused forms of the operations that models are written in (src/backends/ops): plain functions over float32 tensors, forward and
// backward. On the host they are loops of our own around oneDNN's products; elsewhere (`onHost`), ATen's operations composed. All tensors
// that come in are dense and row-major, those that go out are new unless a function says otherwise. Those with a `Precision` multiply in this type; what
// they keep for their gradients is of it as well. With `narrow`, for which of the loops on the host only those for tiles (tiles/operations.h) ask, the first result is of
// bfloat16 where that loses nothing to those who read it; elsewhere than on the host, and by those loops, x, dy and qkv may then come as bfloat16.
#pragma once

#include <ATen/ATen.h>

#include <vector>

#include "fused/bfloat16.h"

namespace patchstream {

struct Gelu {
  at::Tensor y, slope;
};
// x·Φ(x) and its derivative. Any shape.
Gelu geluWithSlope(const at::Tensor& x);

struct Linear {
  at::Tensor y, saved, x;
};
// x·weight + bias, x [R, in], weight [in, out], bias [out] or undefined. With `withGelu`, its gelu, and `saved` what the gradient needs. In bfloat16, `x` is x
// in this type, which may stand for it in the gradient.
Linear linear(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias, bool withGelu, Precision precision, bool narrow = false);

struct LinearGrad {
  at::Tensor dx, dWeight, dBias;
};
// `saved` is undefined without gelu; dBias is, without `withBias`.
LinearGrad linearGrad(const at::Tensor& dy, const at::Tensor& x, const at::Tensor& weight, const at::Tensor& saved,
                      bool withBias, Precision precision, bool narrow = false);

struct LayerNorm {
  at::Tensor y, mean, rstd;
};
// Over the last axis of x [R, D]; mean and rstd [R].
LayerNorm layerNorm(const at::Tensor& x, const at::Tensor& gain, const at::Tensor& bias, double eps, bool narrow = false);

struct LayerNormGrad {
  at::Tensor dx, dGain, dBias;
};
LayerNormGrad layerNormGrad(const at::Tensor& dy, const at::Tensor& x, const at::Tensor& mean, const at::Tensor& rstd,
                            const at::Tensor& gain);

// softmax(q·kᵀ/√d + tableScale·q·table[:, bucketIds])·v for qkv [B, T, 3·heads·d]; table [d, buckets] and bucketIds int32 [T, T], or
// [B, T, T] where each sequence has its own, or both undefined. tableScale is 1/√d when `scaled`, else 1.
struct AttentionSetting {
  int64_t heads;
  bool scaled;
  Precision precision;
};
struct Attention {
  at::Tensor y, shares;  // [B, T, heads·d], [B, heads, T, T]; from kernels of ours (cuda/kernels.h) [B, heads, T], for its gradient alone
};
Attention attention(const at::Tensor& qkv, const at::Tensor& table, const at::Tensor& bucketIds, AttentionSetting at, bool narrow = false);

struct AttentionGrad {
  at::Tensor dqkv, dTable;
};
AttentionGrad attentionGrad(const at::Tensor& dy, const at::Tensor& qkv, const at::Tensor& y, const at::Tensor& shares,
                            const at::Tensor& table, const at::Tensor& bucketIds, AttentionSetting at, bool narrow = false);

// Rows of x [N, n, D] by ids int32 [N, k] -> [N, k, D]. An id outside 0 … n − 1 throws.
at::Tensor gatherTokens(const at::Tensor& x, const at::Tensor& ids);
// [N, k, D] -> [N, n, D], rows of one id added up.
at::Tensor gatherTokensGrad(const at::Tensor& dy, const at::Tensor& ids, int64_t n);

// 3 × 3, stride 1, zero border: x [N, H, W, C], weight [3, 3, C, F], bias [F] or undefined.
at::Tensor conv3x3(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias, Precision precision);
struct ConvGrad {
  at::Tensor dx, dWeight, dBias;
};
ConvGrad conv3x3Grad(const at::Tensor& dy, const at::Tensor& x, const at::Tensor& weight, bool withBias, Precision precision);

}  // namespace patchstream
