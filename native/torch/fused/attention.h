#pragma once

#include <ATen/ATen.h>

#include "fused/fused.h"

namespace patchstream {

// Sizes, and where a head's parts stand in the memory of qkv [B, T, 3·heads·d].
struct AttentionLayout {
  int64_t batch, T, heads, d, buckets;
  int64_t ownIds;  // numbers between the ids of two sequences: 0 where all have the same
  float scale, tableScale;

  int64_t width() const { return heads * d; }
  int64_t stride() const { return 3 * heads * d; }
  int64_t query(int64_t b, int64_t h) const { return b * T * stride() + h * d; }
  int64_t output(int64_t b, int64_t h) const { return b * T * width() + h * d; }
};

AttentionLayout attentionLayout(const at::Tensor& qkv, const at::Tensor& table, const at::Tensor& ids, AttentionSetting at);

}  // namespace patchstream
