#include <cmath>

#include "optimizers/pieces.h"

namespace patchstream {

namespace {

struct LarsStep {
  float lr, momentum, decay, ofGradient;  // `ofGradient` and `decay` are multiplied by the ratio of norms
};

struct LarsLoop {
  template <int W>
  static PATCHSTREAM_INLINE void run(float* __restrict p, float* __restrict g, float* __restrict m, int64_t count,
                                     const LarsStep* step) {
    const LarsStep at = *step;
    for (int64_t i = 0; i < count; i++) {
      m[i] = m[i] * at.momentum + (g[i] * at.ofGradient + p[i] * at.decay);
      g[i] = 0;
      p[i] -= at.lr * m[i];
    }
  }
};

}  // namespace

void lars(const Tensors& parameters, const Tensors& gradients, const Tensors& moments, const Lars& how) {
  if (!onHost(parameters)) {
    for (size_t i = 0; i < parameters.size(); i++) {
      at::Tensor p = parameters[i], g = gradients[i], m = moments[i];
      g.mul_(how.scale);
      if (how.adapts[i] != 0) {
        const at::Tensor ours = p.norm(), theirs = g.norm();
        g.add_(p, how.decays[i]);
        g.mul_(ratioOr1(ours.mul(how.trust).div_(theirs.add(ours, how.decays[i]).add_(how.eps)), ours, theirs));
      } else {
        g.add_(p, how.decays[i]);
      }
      m.mul_(how.momentum).add_(g);
      p.add_(m, -how.lr);
      g.zero_();
    }
    return;
  }
  const std::vector<Piece> pieces = piecesOf(parameters);
  std::vector<double> ours(pieces.size()), theirs(pieces.size());
  eachPiece(pieces, [&](int64_t i, const Piece& piece) {
    if (how.adapts[piece.tensor] == 0) return;
    simd<SumSquares>(static_cast<const float*>(numbersOf(parameters, piece)), piece.count, &ours[i]);
    simd<SumSquares>(static_cast<const float*>(numbersOf(gradients, piece)), piece.count, &theirs[i]);
  });
  const std::vector<double> ofParameter = totalsOf(pieces, ours, parameters.size());
  const std::vector<double> ofGradient = totalsOf(pieces, theirs, parameters.size());
  eachPiece(pieces, [&](int64_t, const Piece& piece) {
    const size_t tensor = piece.tensor;
    const double p = std::sqrt(ofParameter[tensor]), g = std::sqrt(ofGradient[tensor]) * how.scale;
    const bool adapts = p > 0 && g > 0;
    const double ratio = adapts ? how.trust * p / (g + how.decays[tensor] * p + how.eps) : 1;
    const LarsStep step{static_cast<float>(how.lr), static_cast<float>(how.momentum),
                        static_cast<float>(how.decays[tensor] * ratio), static_cast<float>(how.scale * ratio)};
    simd<LarsLoop>(numbersOf(parameters, piece), numbersOf(gradients, piece), numbersOf(moments, piece), piece.count, &step);
  });
}

}  // namespace patchstream
