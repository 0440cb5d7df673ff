#include <torch/version.h>

#include <cmath>

#include "cuda/driver.h"
#include "cuda/kernels.h"
#include "cuda/trial.h"
#include "device/cuda.h"
#include "device/device.h"

namespace patchstream {

namespace {

constexpr unsigned threads = 128;
constexpr int64_t side = 64;
// Of a block, as attention.cu divides it: arrays of bfloat16 [64, 72], and what the warps have in float32.
constexpr unsigned arrayBytes = 64 * 72 * 2, wideBytes = 4 * 16 * 66 * 4;
constexpr unsigned forwardBytes = 4 * arrayBytes + wideBytes;
constexpr unsigned gradientBytes = 7 * arrayBytes + wideBytes + 2 * 64 * 64;

// As in attention.cu.
struct Sizes {
  int T, heads, buckets;
  float scale, tableScale;
};

Sizes sizesOf(const at::Tensor& qkv, const at::Tensor& table, AttentionSetting at) {
  const float scale = 1 / std::sqrt(static_cast<float>(qkv.size(2) / (3 * at.heads)));
  return {static_cast<int>(qkv.size(1)), static_cast<int>(at.heads), table.defined() ? static_cast<int>(table.size(1)) : 0, scale, at.scaled ? scale : 1};
}

at::Tensor rounded(const at::Tensor& x) { return factor(x, Precision::kBfloat16); }
at::Tensor result(const at::Tensor& x, bool narrow) { return narrow ? x : x.to(at::kFloat); }
// [d, buckets] -> [buckets, d], as the kernels read it.
at::Tensor vectorsOf(const at::Tensor& table) { return table.defined() ? rounded(table).t().contiguous() : table; }
const void* orNothing(const at::Tensor& x) { return x.defined() ? addressOf(x) : nullptr; }
std::vector<std::string> optionsFor(int64_t d) { return {"-DHEAD=" + std::to_string(d)}; }

Attention windows(const at::Tensor& qkv, const at::Tensor& table, const at::Tensor& ids, AttentionSetting setting) {
  const Sizes at = sizesOf(qkv, table, setting);
  const int64_t B = qkv.size(0), T = qkv.size(1), width = qkv.size(2) / 3;
  const at::Tensor given = rounded(qkv), vectors = vectorsOf(table);
  const Attention out{at::empty({B, T, width}, given.options()), at::empty({B, setting.heads, T}, given.options().dtype(at::kFloat))};
  void* const kernel = kernelOf("attention", "window_attention", optionsFor(width / setting.heads), qkv.device());
  launch(kernel, {static_cast<unsigned>(B * setting.heads), 1, threads, 1, forwardBytes}, qkv.device(), addressOf(given), orNothing(vectors),
         orNothing(ids), addressOf(out.y), addressOf(out.shares), at);
  return out;
}

AttentionGrad windowsGrad(const at::Tensor& dy, const at::Tensor& qkv, const at::Tensor& sums, const at::Tensor& table, const at::Tensor& ids,
                          AttentionSetting setting) {
  const Sizes at = sizesOf(qkv, table, setting);
  const int64_t d = qkv.size(2) / (3 * setting.heads);
  const int count = static_cast<int>(qkv.size(0) * setting.heads);
  const at::Tensor given = rounded(qkv), change = rounded(dy), vectors = vectorsOf(table), dqkv = at::empty_like(given);
  // Each block adds up the table's gradient over all heads that it comes to.
  const int blocks = std::min(count, 2 * cudaMultiprocessors(qkv.device().index()));
  const at::Tensor dVectors = table.defined() ? at::empty({blocks, side, d}, sums.options()) : at::Tensor();
  void* const kernel = kernelOf("attention", "window_attention_gradient", optionsFor(d), qkv.device());
  launch(kernel, {static_cast<unsigned>(blocks), 1, threads, 1, gradientBytes}, qkv.device(), addressOf(change), addressOf(given), addressOf(sums),
         orNothing(vectors), orNothing(ids), addressOf(dqkv), orNothing(dVectors), count, at);
  return {dqkv, table.defined() ? dVectors.sum(0).slice(0, 0, table.size(1)).t().contiguous() : at::Tensor()};
}

#if TORCH_VERSION_MAJOR > 2 || (TORCH_VERSION_MAJOR == 2 && TORCH_VERSION_MINOR >= 11)
constexpr bool hasFlash = true;

struct Heads {
  at::Tensor q, k, v;
};
// [B, heads, T, d] each, in the memory of qkv.
Heads headsOf(const at::Tensor& qkv, int64_t heads) {
  const at::Tensor parts = qkv.view({qkv.size(0), qkv.size(1), 3, heads, qkv.size(2) / (3 * heads)}).permute({2, 0, 3, 1, 4});
  return {parts[0], parts[1], parts[2]};
}

Attention flash(const at::Tensor& qkv, AttentionSetting setting) {
  const at::Tensor given = rounded(qkv);
  const auto [q, k, v] = headsOf(given, setting.heads);
  const auto found = at::_scaled_dot_product_flash_attention(q, k, v);
  return {std::get<0>(found).transpose(1, 2).reshape({qkv.size(0), qkv.size(1), qkv.size(2) / 3}), std::get<1>(found)};
}

AttentionGrad flashGrad(const at::Tensor& dy, const at::Tensor& qkv, const at::Tensor& y, const at::Tensor& sums, AttentionSetting setting) {
  const at::Tensor given = rounded(qkv);
  const auto [q, k, v] = headsOf(given, setting.heads);
  const int64_t B = qkv.size(0), T = qkv.size(1), d = q.size(3);
  const auto split = [&](const at::Tensor& x) { return rounded(x).view({B, T, setting.heads, d}).transpose(1, 2); };
  // Without dropout nothing is drawn, and nobody looks at the seed.
  const at::Tensor seed = at::zeros({2}, qkv.options().dtype(at::kLong)), offset = at::zeros({}, seed.options());
  const auto [dq, dk, dv] = at::_scaled_dot_product_flash_attention_backward(split(dy), q, k, v, split(y), sums, {}, {}, T, T, 0, false, seed, offset);
  return {at::stack({dq, dk, dv}).permute({1, 3, 0, 2, 4}).reshape(qkv.sizes()), {}};
}
#else
// The names are there since 2.0, and have changed since.
constexpr bool hasFlash = false;
Attention flash(const at::Tensor&, AttentionSetting) { TORCH_CHECK(false, "no flash attention"); }
AttentionGrad flashGrad(const at::Tensor&, const at::Tensor&, const at::Tensor&, const at::Tensor&, AttentionSetting) {
  TORCH_CHECK(false, "no flash attention");
}
#endif

bool fitsWindows(const at::Tensor& qkv, const at::Tensor& table, AttentionSetting at) {
  const int64_t d = qkv.size(2) / (3 * at.heads);
  return qkv.size(1) <= side && d % 16 == 0 && d <= side && (!table.defined() || table.size(1) <= side) && qkv.size(0) * at.heads < INT32_MAX;
}

// Both forms of windows, or flash attention.
Trial tryAttention(int64_t d, bool window, at::Device device) {
  constexpr int64_t B = 150, heads = 2, buckets = 50;
  const int64_t T = window ? 50 : 197;
  const at::Tensor qkv = madeUp({B, T, 3 * heads * d}, device, 0.7).mul_(2), dy = madeUp({B, T, heads * d}, device, 1.3),
                   table = madeUp({d, buckets}, device, 0.3),
                   ids = at::arange(T * T, at::TensorOptions(at::kInt).device(device)).mul_(7).remainder_(buckets).view({T, T});
  Trial made;
  for (const bool relative : {false, true}) {
    if (relative && !window) continue;
    const at::Tensor vectors = relative ? table : at::Tensor(), places = relative ? ids : at::Tensor();
    const AttentionSetting setting{heads, relative, Precision::kBfloat16};
    const Attention found = window ? windows(qkv, vectors, places, setting) : flash(qkv, setting);
    const AttentionGrad grad =
        window ? windowsGrad(dy, qkv, found.shares, vectors, places, setting) : flashGrad(dy, qkv, found.y, found.shares, setting);
    const WithoutKernels here;
    const Attention wanted = attention(qkv, vectors, places, setting);
    const AttentionGrad wantedGrad = attentionGrad(dy, qkv, wanted.y, wanted.shares, vectors, places, setting);
    for (const at::Tensor& each : {found.y, grad.dqkv}) made.found.push_back(each);
    for (const at::Tensor& each : {wanted.y, wantedGrad.dqkv}) made.wanted.push_back(each);
    if (!relative) continue;
    made.found.push_back(grad.dTable);
    made.wanted.push_back(wantedGrad.dTable);
  }
  return made;
}

bool trusted(const at::Tensor& qkv, AttentionSetting at, bool window) {
  const int64_t d = qkv.size(2) / (3 * at.heads);
  const std::string what = std::string(window ? "attention of windows" : "flash attention") + " with heads of " + std::to_string(d);
  return serves(what, qkv.device(), 2e-2, [&] { return tryAttention(d, window, qkv.device()); });
}

}  // namespace

std::optional<Attention> attentionByKernels(const at::Tensor& qkv, const at::Tensor& table, const at::Tensor& bucketIds, AttentionSetting at,
                                            bool narrow) {
  if (at.precision != Precision::kBfloat16 || !kernelsMayServe(qkv.device()) || qkv.numel() == 0) return std::nullopt;
  const bool window = fitsWindows(qkv, table, at);
  if ((!window && (!hasFlash || table.defined())) || !trusted(qkv, at, window)) return std::nullopt;
  Attention made = window ? windows(qkv, table, bucketIds, at) : flash(qkv, at);
  made.y = result(made.y, narrow);
  return made;
}

AttentionGrad attentionGradByKernels(const at::Tensor& dy, const at::Tensor& qkv, const at::Tensor& y, const at::Tensor& sums, const at::Tensor& table,
                                     const at::Tensor& bucketIds, AttentionSetting at, bool narrow) {
  AttentionGrad made = fitsWindows(qkv, table, at) ? windowsGrad(dy, qkv, sums, table, bucketIds, at) : flashGrad(dy, qkv, y, sums, at);
  made.dqkv = result(made.dqkv, narrow);
  return made;
}

}  // namespace patchstream
