#include <algorithm>

#include "cuda/driver.h"
#include "cuda/kernels.h"
#include "cuda/trial.h"
#include "device/device.h"

namespace patchstream {

namespace {

constexpr unsigned warpsOfBlock = 8;
constexpr unsigned mostParts = 528;
// A warp keeps a row in its registers, and the gradient three.
constexpr int64_t mostWidth = 1280;

bool fits(const at::Tensor& x) {
  const int64_t width = x.size(1);
  return kernelsMayServe(x.device()) && width > 0 && width % 64 == 0 && width <= mostWidth && x.size(0) > 0 && x.size(0) < INT32_MAX;
}

unsigned blocksFor(const at::Tensor& x) { return (static_cast<unsigned>(x.size(0)) + warpsOfBlock - 1) / warpsOfBlock; }
std::vector<std::string> optionsFor(const at::Tensor& x) { return {"-DWIDTH=" + std::to_string(x.size(1))}; }

LayerNorm forward(const at::Tensor& x, const at::Tensor& gain, const at::Tensor& bias, double eps, bool narrow) {
  const int64_t rows = x.size(0);
  LayerNorm out{at::empty(x.sizes(), x.options().dtype(narrow ? at::kBFloat16 : at::kFloat)), at::empty({rows}, x.options()), at::empty({rows}, x.options())};
  void* const kernel = kernelOf("norm", narrow ? "layer_norm_narrow" : "layer_norm", optionsFor(x), x.device());
  launch(kernel, {blocksFor(x), 1, 32 * warpsOfBlock}, x.device(), addressOf(x), addressOf(gain), addressOf(bias), addressOf(out.y),
         addressOf(out.mean), addressOf(out.rstd), static_cast<unsigned>(rows), static_cast<float>(eps));
  return out;
}

LayerNormGrad backward(const at::Tensor& dy, const at::Tensor& x, const at::Tensor& mean, const at::Tensor& rstd, const at::Tensor& gain) {
  const int64_t width = x.size(1);
  const unsigned parts = std::min(blocksFor(x), mostParts);
  const at::Tensor dx = at::empty_like(x), sums = at::empty({static_cast<int64_t>(parts), 2, width}, x.options());
  const char* name = dy.scalar_type() == at::kBFloat16 ? "layer_norm_gradient_narrow" : "layer_norm_gradient";
  void* const kernel = kernelOf("norm", name, optionsFor(x), x.device());
  launch(kernel, {parts, 1, 32 * warpsOfBlock}, x.device(), addressOf(dy), addressOf(x), addressOf(mean), addressOf(rstd), addressOf(gain),
         addressOf(dx), addressOf(sums), static_cast<unsigned>(x.size(0)));
  const at::Tensor both = sums.sum(0);
  return {dx, both[0].clone(), both[1].clone()};
}

Trial tryNorm(int64_t width, at::Device device) {
  constexpr int64_t rows = 3001;
  constexpr double eps = 1e-6;
  const at::Tensor x = madeUp({rows, width}, device, 0.7).add_(0.5), gain = madeUp({width}, device, 0.3), bias = madeUp({width}, device, 0.9),
                   dy = madeUp({rows, width}, device, 1.3);
  const LayerNorm found = forward(x, gain, bias, eps, false);
  Trial made;
  for (const at::Tensor& change : {dy, dy.to(at::kBFloat16)}) {
    const LayerNormGrad grad = backward(change, x, found.mean, found.rstd, gain);
    for (const at::Tensor& each : {grad.dx, grad.dGain, grad.dBias}) made.found.push_back(each);
    const WithoutKernels here;
    const LayerNorm wanted = layerNorm(x, gain, bias, eps);
    const LayerNormGrad wantedGrad = layerNormGrad(change, x, wanted.mean, wanted.rstd, gain);
    for (const at::Tensor& each : {wantedGrad.dx, wantedGrad.dGain, wantedGrad.dBias}) made.wanted.push_back(each);
  }
  const WithoutKernels here;
  const at::Tensor wanted = layerNorm(x, gain, bias, eps).y;
  made.found.insert(made.found.end(), {found.y, forward(x, gain, bias, eps, true).y});
  made.wanted.insert(made.wanted.end(), {wanted, wanted.to(at::kBFloat16)});
  return made;
}

bool trusted(const at::Tensor& x) {
  const int64_t width = x.size(1);
  return serves("layer normalisation over " + std::to_string(width), x.device(), 1e-3, [&] { return tryNorm(width, x.device()); });
}

}  // namespace

std::optional<LayerNorm> layerNormByKernels(const at::Tensor& x, const at::Tensor& gain, const at::Tensor& bias, double eps, bool narrow) {
  if (!fits(x) || !trusted(x)) return std::nullopt;
  return forward(x, gain, bias, eps, narrow);
}

std::optional<LayerNormGrad> layerNormGradByKernels(const at::Tensor& dy, const at::Tensor& x, const at::Tensor& mean, const at::Tensor& rstd,
                                                    const at::Tensor& gain) {
  if (!fits(x) || !trusted(x)) return std::nullopt;
  return backward(dy, x, mean, rstd, gain);
}

}  // namespace patchstream
