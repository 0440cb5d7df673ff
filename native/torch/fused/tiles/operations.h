// Operations of fused.h in bfloat16 by tiles (tiles.h), where the host has them. What comes after a product is done while its sums are in the core's nearest cache. x, dy and qkv may
// come as bfloat16, and with `narrow` the first result is of it; gradients by x and by qkv are rounded to its numbers in any case, so that both ways are the same.
#pragma once

#include "fused/attention.h"
#include "fused/fused.h"

namespace patchstream {

Linear linearByTiles(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias, bool withGelu, bool narrow);
LinearGrad linearGradByTiles(const at::Tensor& dy, const at::Tensor& x, const at::Tensor& weight, const at::Tensor& saved, bool withBias, bool narrow);

Attention attentionByTiles(const at::Tensor& qkv, const at::Tensor& table, const at::Tensor& ids, const AttentionLayout& at, bool narrow);
// y is not needed.
AttentionGrad attentionGradByTiles(const at::Tensor& dy, const at::Tensor& qkv, const at::Tensor& shares, const at::Tensor& table, const at::Tensor& ids,
                                   const AttentionLayout& at, bool narrow);

}  // namespace patchstream
