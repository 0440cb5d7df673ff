// The fused operations (fused/fused.h) by kernels of our own on CUDA. Each answers nothing where the kernels do not serve, and ATen's operations must. All but the
// lists and layer normalisation are for products of bfloat16. `narrow` asks for the first result in bfloat16.
#pragma once

#include <optional>

#include "fused/fused.h"
#include "optimizers/optimizers.h"

namespace patchstream {

std::optional<Linear> linearByKernels(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias, bool withGelu, bool narrow);
std::optional<LinearGrad> linearGradByKernels(const at::Tensor& dy, const at::Tensor& x, const at::Tensor& weight, const at::Tensor& saved,
                                              bool withBias, bool narrow);

std::optional<LayerNorm> layerNormByKernels(const at::Tensor& x, const at::Tensor& gain, const at::Tensor& bias, double eps, bool narrow);
std::optional<LayerNormGrad> layerNormGradByKernels(const at::Tensor& dy, const at::Tensor& x, const at::Tensor& mean, const at::Tensor& rstd,
                                                    const at::Tensor& gain);

// In place of the shares come the logarithms of the softmax's sums, [B, heads, T].
std::optional<Attention> attentionByKernels(const at::Tensor& qkv, const at::Tensor& table, const at::Tensor& bucketIds, AttentionSetting at,
                                            bool narrow);
AttentionGrad attentionGradByKernels(const at::Tensor& dy, const at::Tensor& qkv, const at::Tensor& y, const at::Tensor& sums, const at::Tensor& table,
                                     const at::Tensor& bucketIds, AttentionSetting at, bool narrow);

bool adamwByKernels(const std::vector<at::Tensor>& parameters, const std::vector<at::Tensor>& gradients, const std::vector<at::Tensor>& first,
                    const std::vector<at::Tensor>& second, const AdamW& at);
std::optional<at::Tensor> sumsOfSquaresByKernels(const std::vector<at::Tensor>& tensors);

}  // namespace patchstream
