#include <cmath>

#include "cuda/kernels.h"
#include "optimizers/pieces.h"

namespace patchstream {

namespace {

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

}  // namespace

void adamw(const Tensors& parameters, const Tensors& gradients, const Tensors& first, const Tensors& second, const AdamW& how) {
  const double bias1 = 1 - std::pow(how.beta1, how.step);
  const double bias2 = 1 - std::pow(how.beta2, how.step);
  if (!onHost(parameters)) {
    if (adamwByKernels(parameters, gradients, first, second, how)) return;
    for (size_t i = 0; i < parameters.size(); i++) {
      at::Tensor p = parameters[i], g = gradients[i], m = first[i], v = second[i];
      m.mul_(how.beta1).add_(g, how.scale * (1 - how.beta1));
      v.mul_(how.beta2).addcmul_(g, g, how.scale * how.scale * (1 - how.beta2));
      p.mul_(1 - how.lr * how.decays[i]).addcdiv_(m, v.div(bias2).sqrt_().add_(how.eps), -how.lr / bias1);
      g.zero_();
    }
    return;
  }
  AdamWStep step{};
  step.rate = static_cast<float>(how.lr / bias1);
  step.correction = static_cast<float>(1 / std::sqrt(bias2));
  step.beta1 = static_cast<float>(how.beta1);
  step.beta2 = static_cast<float>(how.beta2);
  step.rest1 = static_cast<float>(1 - how.beta1);
  step.rest2 = static_cast<float>(1 - how.beta2);
  step.eps = static_cast<float>(how.eps);
  step.scale = static_cast<float>(how.scale);
  eachPiece(piecesOf(parameters), [&](int64_t, const Piece& piece) {
    AdamWStep mine = step;
    mine.keep = static_cast<float>(1 - how.lr * how.decays[piece.tensor]);
    simd<AdamWLoop>(numbersOf(parameters, piece), numbersOf(gradients, piece), numbersOf(first, piece), numbersOf(second, piece), piece.count,
                    static_cast<const AdamWStep*>(&mine));
  });
}

}  // namespace patchstream
