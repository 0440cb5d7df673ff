#include <cmath>

#include "cuda/kernels.h"
#include "device/device.h"
#include "fused/fused.h"
#include "fused/simd.h"
#include "threads.h"

namespace patchstream {

namespace {

// A tensor's share of a list's numbers when the list is cut into pieces for the threads.
constexpr int64_t pieceFloats = 16 * 1024;

struct Piece {
  size_t tensor;
  int64_t begin, count;
};

std::vector<Piece> piecesOf(const std::vector<at::Tensor>& tensors) {
  std::vector<Piece> pieces;
  for (size_t i = 0; i < tensors.size(); i++)
    for (int64_t begin = 0; tensors[i].defined() && begin < tensors[i].numel(); begin += pieceFloats)
      pieces.push_back({i, begin, std::min(pieceFloats, tensors[i].numel() - begin)});
  return pieces;
}

struct AddTo {
  template <int W>
  static PATCHSTREAM_INLINE void run(float* sum, const float* x, int64_t count) {
    int64_t i = 0;
    for (; i + W <= count; i += W) store<W>(sum + i, load<W>(sum + i) + load<W>(x + i));
    for (; i < count; i++) sum[i] += x[i];
  }
};

struct AdamWStep {
  float keep;  // 1 − lr·decay
  float rate;  // lr / (1 − β₁ᵗ)
  float correction;  // 1 / √(1 − β₂ᵗ)
  float beta1, beta2, rest1, rest2, eps, scale;
};

struct AdamWLoop {
  template <int W>
  static PATCHSTREAM_INLINE void run(float* __restrict p, float* __restrict g, float* __restrict m, float* __restrict v,
                                     int64_t count, const AdamWStep* step) {
    const AdamWStep at = *step;
    for (int64_t i = 0; i < count; i++) {
      const float gradient = g[i] * at.scale;
      g[i] = 0;
      m[i] = m[i] * at.beta1 + gradient * at.rest1;
      v[i] = v[i] * at.beta2 + gradient * gradient * at.rest2;
      p[i] = p[i] * at.keep - at.rate * m[i] / (std::sqrt(v[i]) * at.correction + at.eps);
    }
  }
};

struct SumSquares {
  template <int W>
  static PATCHSTREAM_INLINE void run(const float* x, int64_t count, double* out) {
    using F = Floats<W>;
    using D = typename Lanes<W>::D;
    D sum{};
    int64_t i = 0;
    for (; i + W <= count; i += W) {
      const D wide = __builtin_convertvector(static_cast<F>(load<W>(x + i)), D);
      sum += wide * wide;
    }
    double total = 0;
    for (int lane = 0; lane < W; lane++) total += sum[lane];
    for (; i < count; i++) total += static_cast<double>(x[i]) * x[i];
    *out = total;
  }
};

}  // namespace

void accumulate(const std::vector<at::Tensor>& sums, const std::vector<at::Tensor>& gradients) {
  if (!onHost(sums) || !onHost(gradients)) {
    for (size_t i = 0; i < sums.size(); i++)
      if (gradients[i].defined()) at::Tensor(sums[i]).add_(gradients[i]);
    return;
  }
  const std::vector<Piece> pieces = piecesOf(gradients);
  parallel(pieces.size(), pieceFloats, [&](int64_t begin, int64_t end, int) {
    for (int64_t i = begin; i < end; i++) {
      const Piece& piece = pieces[i];
      const float* from = hostData<float>(gradients[piece.tensor]);
      simd<AddTo>(hostData<float>(sums[piece.tensor]) + piece.begin, from + piece.begin, piece.count);
    }
  });
}

void adamw(const std::vector<at::Tensor>& parameters, const std::vector<at::Tensor>& gradients,
           const std::vector<at::Tensor>& first, const std::vector<at::Tensor>& second, const AdamW& at) {
  const double bias1 = 1 - std::pow(at.beta1, at.step);
  const double bias2 = 1 - std::pow(at.beta2, at.step);
  if (!onHost(parameters)) {
    if (adamwByKernels(parameters, gradients, first, second, at)) return;
    for (size_t i = 0; i < parameters.size(); i++) {
      at::Tensor p = parameters[i], g = gradients[i], m = first[i], v = second[i];
      m.mul_(at.beta1).add_(g, at.scale * (1 - at.beta1));
      v.mul_(at.beta2).addcmul_(g, g, at.scale * at.scale * (1 - at.beta2));
      p.mul_(1 - at.lr * at.decays[i]).addcdiv_(m, v.div(bias2).sqrt_().add_(at.eps), -at.lr / bias1);
      g.zero_();
    }
    return;
  }
  AdamWStep step{};
  step.rate = static_cast<float>(at.lr / bias1);
  step.correction = static_cast<float>(1 / std::sqrt(bias2));
  step.beta1 = static_cast<float>(at.beta1);
  step.beta2 = static_cast<float>(at.beta2);
  step.rest1 = static_cast<float>(1 - at.beta1);
  step.rest2 = static_cast<float>(1 - at.beta2);
  step.eps = static_cast<float>(at.eps);
  step.scale = static_cast<float>(at.scale);
  const std::vector<Piece> pieces = piecesOf(parameters);
  parallel(pieces.size(), pieceFloats, [&](int64_t begin, int64_t end, int) {
    AdamWStep mine = step;
    for (int64_t i = begin; i < end; i++) {
      const auto [tensor, start, count] = pieces[i];
      mine.keep = static_cast<float>(1 - at.lr * at.decays[tensor]);
      simd<AdamWLoop>(hostData<float>(parameters[tensor]) + start, hostData<float>(gradients[tensor]) + start,
                      hostData<float>(first[tensor]) + start, hostData<float>(second[tensor]) + start, count,
                      static_cast<const AdamWStep*>(&mine));
    }
  });
}

at::Tensor sumsOfSquares(const std::vector<at::Tensor>& tensors) {
  TORCH_CHECK(!tensors.empty(), "no tensors");
  if (!onHost(tensors)) {
    if (const auto made = sumsOfSquaresByKernels(tensors)) return *made;
    std::vector<at::Tensor> sums;
    // Metal has no float64.
    const auto wide = tensors[0].is_cuda() ? at::kDouble : at::kFloat;
    for (const at::Tensor& tensor : tensors) sums.push_back(tensor.to(wide).square().sum());
    return at::stack(sums).to(at::kFloat);
  }
  const std::vector<Piece> pieces = piecesOf(tensors);
  std::vector<double> parts(pieces.size());
  parallel(pieces.size(), pieceFloats, [&](int64_t begin, int64_t end, int) {
    for (int64_t i = begin; i < end; i++) {
      const Piece& piece = pieces[i];
      const float* from = hostData<float>(tensors[piece.tensor]);
      simd<SumSquares>(from + piece.begin, piece.count, &parts[i]);
    }
  });
  std::vector<double> totals(tensors.size());
  for (size_t i = 0; i < pieces.size(); i++) totals[pieces[i].tensor] += parts[i];
  const at::Tensor out = at::empty({static_cast<int64_t>(tensors.size())}, tensors[0].options());
  std::copy(totals.begin(), totals.end(), hostData<float>(out));
  return out;
}

}  // namespace patchstream
