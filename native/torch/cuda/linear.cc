#include <algorithm>

#include "cuda/driver.h"
#include "cuda/kernels.h"
#include "cuda/trial.h"
#include "device/device.h"

namespace patchstream {

namespace {

constexpr unsigned threads = 256;
constexpr unsigned mostBlocks = 8192;
constexpr int64_t columnsOfBlock = 256;
constexpr int64_t leastRows = 64;

bool fits(const at::Tensor& x, int64_t width) {
  return kernelsMayServe(x.device()) && x.size(0) > 0 && width > 0 && width % 8 == 0 && x.size(0) < INT32_MAX && x.size(0) * (width / 8) < INT32_MAX;
}

at::Tensor rounded(const at::Tensor& x) { return factor(x, Precision::kBfloat16); }
at::Tensor result(const at::Tensor& product, bool narrow) { return narrow ? product : product.to(at::kFloat); }

Linear forward(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias, bool withGelu, bool narrow) {
  const at::Tensor kept = rounded(x), pre = at::mm(kept, rounded(weight));
  if (!withGelu && !bias.defined()) return {result(pre, narrow), {}, kept};
  const auto count = static_cast<unsigned>(pre.numel() / 8), width = static_cast<unsigned>(pre.size(1));
  const at::Tensor y = at::empty(pre.sizes(), pre.options().dtype(narrow ? at::kBFloat16 : at::kFloat));
  const at::Tensor saved = withGelu ? at::empty_like(pre) : at::Tensor();
  const std::string name = std::string("linear_after") + (withGelu ? "_gelu" : "") + (narrow ? "_narrow" : "");
  void* const kernel = kernelOf("linear", name, {}, x.device());
  const Grid grid{std::min((count + threads - 1) / threads, mostBlocks), 1, threads};
  const void* shift = bias.defined() ? addressOf(bias) : nullptr;
  if (withGelu) {
    launch(kernel, grid, x.device(), addressOf(pre), shift, addressOf(y), addressOf(saved), count, width);
  } else {
    launch(kernel, grid, x.device(), addressOf(pre), shift, addressOf(y), count, width);
  }
  return {y, saved, kept};
}

LinearGrad backward(const at::Tensor& dy, const at::Tensor& x, const at::Tensor& weight, const at::Tensor& saved, bool withBias, bool narrow) {
  const int64_t rows = dy.size(0), width = dy.size(1);
  at::Tensor change = rounded(dy), sums;
  if (withBias || saved.defined()) {
    const int64_t tiles = (width + columnsOfBlock - 1) / columnsOfBlock;
    const int64_t perPart = std::max(leastRows, (rows * tiles + 1023) / 1024);
    const int64_t parts = (rows + perPart - 1) / perPart;
    const bool given = dy.scalar_type() == at::kBFloat16;
    change = at::empty(dy.sizes(), dy.options().dtype(at::kBFloat16));
    sums = at::empty({parts, width}, dy.options().dtype(at::kFloat));
    const std::string name = std::string("linear_before") + (saved.defined() ? "_gelu" : "") + (given ? "_narrow" : "");
    void* const kernel = kernelOf("linear", name, {}, dy.device());
    const Grid grid{static_cast<unsigned>(tiles), static_cast<unsigned>(parts), 32, 8};
    const auto sides = std::array{static_cast<unsigned>(rows), static_cast<unsigned>(width), static_cast<unsigned>(perPart)};
    if (saved.defined()) {
      launch(kernel, grid, dy.device(), addressOf(dy), addressOf(saved), addressOf(change), addressOf(sums), sides[0], sides[1], sides[2]);
    } else {
      launch(kernel, grid, dy.device(), addressOf(dy), addressOf(change), addressOf(sums), sides[0], sides[1], sides[2]);
    }
  }
  return {result(at::mm(change, rounded(weight).t()), narrow), at::mm(rounded(x).t(), change).to(at::kFloat),
          withBias ? sums.sum(0) : at::Tensor()};
}

// All forms of both.
Trial tryLinear(at::Device device) {
  constexpr int64_t rows = 203, in = 40, out = 264;
  const at::Tensor x = madeUp({rows, in}, device, 0.7), weight = madeUp({in, out}, device, 1.1), bias = madeUp({out}, device, 0.3),
                   dy = madeUp({rows, out}, device, 0.9);
  Trial made;
  const auto compare = [](std::vector<at::Tensor>& into, std::initializer_list<at::Tensor> results) {
    for (const at::Tensor& each : results)
      if (each.defined()) into.push_back(each);
  };
  for (const bool gelu : {false, true})
    for (const bool narrow : {false, true}) {
      const Linear found = forward(x, weight, bias, gelu, narrow);
      const at::Tensor change = narrow ? rounded(dy) : dy;
      const LinearGrad grad = backward(change, x, weight, found.saved, true, narrow);
      compare(made.found, {found.y, found.saved, grad.dx, grad.dWeight, grad.dBias});
      const WithoutKernels here;
      const Linear wanted = linear(x, weight, bias, gelu, Precision::kBfloat16);
      const LinearGrad wantedGrad = linearGrad(change, x, weight, wanted.saved, true, Precision::kBfloat16);
      compare(made.wanted, {wanted.y, wanted.saved, wantedGrad.dx, wantedGrad.dWeight, wantedGrad.dBias});
    }
  return made;
}

bool trusted(at::Device device) {
  return serves("linear layers", device, 1e-2, [&] { return tryLinear(device); });
}

}  // namespace

std::optional<Linear> linearByKernels(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias, bool withGelu, bool narrow) {
  if (!fits(x, weight.size(1)) || !trusted(x.device())) return std::nullopt;
  return forward(x, weight, bias, withGelu, narrow);
}

std::optional<LinearGrad> linearGradByKernels(const at::Tensor& dy, const at::Tensor& x, const at::Tensor& weight, const at::Tensor& saved,
                                              bool withBias, bool narrow) {
  if (!fits(dy, weight.size(1)) || !trusted(dy.device())) return std::nullopt;
  return backward(dy, x, weight, saved, withBias, narrow);
}

}  // namespace patchstream
