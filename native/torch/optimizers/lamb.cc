#include <cmath>

#include "optimizers/pieces.h"

namespace patchstream {

namespace {

struct LambStep {
  float decay;
  float ofFirst;     // 1 / (1 − β₁ᵗ)
  float correction;  // 1 / √(1 − β₂ᵗ)
  float beta1, beta2, rest1, rest2, eps, scale;
};

// The change of the parameter takes the place of the gradient until its norm is known.
struct ChangeLoop {
  template <int W>
  static PATCHSTREAM_INLINE void run(const float* __restrict p, float* __restrict g, float* __restrict m, float* __restrict v,
                                     int64_t count, const LambStep* step) {
    const LambStep at = *step;
    for (int64_t i = 0; i < count; i++) {
      const float gradient = g[i] * at.scale;
      m[i] = m[i] * at.beta1 + gradient * at.rest1;
      v[i] = v[i] * at.beta2 + gradient * gradient * at.rest2;
      g[i] = m[i] * at.ofFirst / (std::sqrt(v[i]) * at.correction + at.eps) + p[i] * at.decay;
    }
  }
};

struct MoveLoop {
  template <int W>
  static PATCHSTREAM_INLINE void run(float* __restrict p, float* __restrict g, int64_t count, float rate) {
    for (int64_t i = 0; i < count; i++) {
      p[i] -= rate * g[i];
      g[i] = 0;
    }
  }
};

}  // namespace

void lamb(const Tensors& parameters, const Tensors& gradients, const Tensors& first, const Tensors& second, const Lamb& how) {
  const double bias1 = 1 - std::pow(how.beta1, how.step);
  const double bias2 = 1 - std::pow(how.beta2, how.step);
  if (!onHost(parameters)) {
    for (size_t i = 0; i < parameters.size(); i++) {
      at::Tensor p = parameters[i], g = gradients[i], m = first[i], v = second[i];
      m.mul_(how.beta1).add_(g, how.scale * (1 - how.beta1));
      v.mul_(how.beta2).addcmul_(g, g, how.scale * how.scale * (1 - how.beta2));
      at::Tensor change = m.div(bias1).div_(v.div(bias2).sqrt_().add_(how.eps)).add_(p, how.decays[i]);
      if (how.adapts[i] != 0) {
        const at::Tensor ours = p.norm(), theirs = change.norm();
        const at::Tensor ratio = ratioOr1(ours.div(theirs), ours, theirs);
        change.mul_(how.trustClip ? ratio.clamp_max(1) : ratio);
      }
      p.add_(change, -how.lr);
      g.zero_();
    }
    return;
  }
  LambStep step{};
  step.ofFirst = static_cast<float>(1 / bias1);
  step.correction = static_cast<float>(1 / std::sqrt(bias2));
  step.beta1 = static_cast<float>(how.beta1);
  step.beta2 = static_cast<float>(how.beta2);
  step.rest1 = static_cast<float>(1 - how.beta1);
  step.rest2 = static_cast<float>(1 - how.beta2);
  step.eps = static_cast<float>(how.eps);
  step.scale = static_cast<float>(how.scale);
  const std::vector<Piece> pieces = piecesOf(parameters);
  std::vector<double> ours(pieces.size()), theirs(pieces.size());
  eachPiece(pieces, [&](int64_t i, const Piece& piece) {
    LambStep mine = step;
    mine.decay = static_cast<float>(how.decays[piece.tensor]);
    const float* p = numbersOf(parameters, piece);
    float* g = numbersOf(gradients, piece);
    simd<ChangeLoop>(p, g, numbersOf(first, piece), numbersOf(second, piece), piece.count, static_cast<const LambStep*>(&mine));
    if (how.adapts[piece.tensor] == 0) return;
    simd<SumSquares>(p, piece.count, &ours[i]);
    simd<SumSquares>(static_cast<const float*>(g), piece.count, &theirs[i]);
  });
  const std::vector<double> ofParameter = totalsOf(pieces, ours, parameters.size());
  const std::vector<double> ofChange = totalsOf(pieces, theirs, parameters.size());
  eachPiece(pieces, [&](int64_t, const Piece& piece) {
    const double p = std::sqrt(ofParameter[piece.tensor]), change = std::sqrt(ofChange[piece.tensor]);
    const double ratio = p > 0 && change > 0 ? p / change : 1;
    const double rate = how.lr * (how.trustClip ? std::min(ratio, 1.0) : ratio);
    simd<MoveLoop>(numbersOf(parameters, piece), numbersOf(gradients, piece), piece.count, static_cast<float>(rate));
  });
}

}  // namespace patchstream
