#include "optimizers/pieces.h"

namespace patchstream {

namespace {

struct LionStep {
  float keep;  // 1 − lr·decay
  float lr, beta1, beta2, rest1, rest2, scale;
};

struct LionLoop {
  template <int W>
  static PATCHSTREAM_INLINE void run(float* __restrict p, float* __restrict g, float* __restrict m, int64_t count,
                                     const LionStep* step) {
    const LionStep at = *step;
    for (int64_t i = 0; i < count; i++) {
      const float gradient = g[i] * at.scale;
      g[i] = 0;
      const float way = m[i] * at.beta1 + gradient * at.rest1;
      m[i] = m[i] * at.beta2 + gradient * at.rest2;
      p[i] = p[i] * at.keep - (way > 0 ? at.lr : way < 0 ? -at.lr : 0);
    }
  }
};

}  // namespace

void lion(const Tensors& parameters, const Tensors& gradients, const Tensors& moments, const Lion& how) {
  if (!onHost(parameters)) {
    for (size_t i = 0; i < parameters.size(); i++) {
      at::Tensor p = parameters[i], g = gradients[i], m = moments[i];
      p.mul_(1 - how.lr * how.decays[i]).add_(m.mul(how.beta1).add_(g, how.scale * (1 - how.beta1)).sign_(), -how.lr);
      m.mul_(how.beta2).add_(g, how.scale * (1 - how.beta2));
      g.zero_();
    }
    return;
  }
  LionStep step{};
  step.lr = static_cast<float>(how.lr);
  step.beta1 = static_cast<float>(how.beta1);
  step.beta2 = static_cast<float>(how.beta2);
  step.rest1 = static_cast<float>(1 - how.beta1);
  step.rest2 = static_cast<float>(1 - how.beta2);
  step.scale = static_cast<float>(how.scale);
  eachPiece(piecesOf(parameters), [&](int64_t, const Piece& piece) {
    LionStep mine = step;
    mine.keep = static_cast<float>(1 - how.lr * how.decays[piece.tensor]);
    simd<LionLoop>(numbersOf(parameters, piece), numbersOf(gradients, piece), numbersOf(moments, piece), piece.count,
                   static_cast<const LionStep*>(&mine));
  });
}

}  // namespace patchstream
