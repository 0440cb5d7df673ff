// Operations of fused.h in float32 by panels (panels.h), where the host has them and all widths are multiples of theirs.
#pragma once

#include "fused/fused.h"

namespace patchstream {

// Whether a linear layer [in, out] has its gradient this way. Its forward product is as fast by oneDNN.
bool panelsServeGrad(int64_t rows, int64_t in, int64_t out);
LinearGrad linearGradByPanels(const at::Tensor& dy, const at::Tensor& x, const at::Tensor& weight, const at::Tensor& saved, bool withBias);

// 3 × 3 convolutions by Winograd's F(2 × 2, 3 × 3): a tile of 2 × 2 results from 4 × 4 numbers by 16 products in place of 36, each one of matrices over all channels. What is multiplied are
// sums of four numbers at most, so that over a whole tensor results are about as exact as those of a plain sum. A single one is off by roundings of the largest numbers of its
// tile, also where its own are small, and numbers above a quarter of the largest float32 may overflow. The worst of a tensor, in roundings (2⁻²⁴) of the sum of its absolute products:
// for numbers of one size 1 to 2 (the library: 1 to 4), of the weights' gradient 1 to 4 (0.3 to 3); for numbers of one sign 12 to 54, the more the channels (4 to 69); for
// numbers that are up to 10⁸ times as large as others, thousands (5 to 18). Measured by the sum that there would be, were all numbers of a tile as large as its largest, it is below 20 for all of these.
at::Tensor conv3x3ByPanels(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias);
ConvGrad conv3x3GradByPanels(const at::Tensor& dy, const at::Tensor& x, const at::Tensor& weight, bool withBias);

}  // namespace patchstream
