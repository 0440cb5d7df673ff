// What a training step does with all of a model's tensors at once, in place. On the host loops of our own; elsewhere (`onHost`), ATen's operations
// composed. Lists have a tensor for each parameter, dense and of its shape.
#pragma once

#include <ATen/ATen.h>

#include <vector>

namespace patchstream {

using Tensors = std::vector<at::Tensor>;

// sums[i] += gradients[i]. An undefined gradient is left out.
void accumulate(const Tensors& sums, const Tensors& gradients);

// The sum of squares of each tensor, added up in float64: float32 [count] on the tensors' device.
at::Tensor sumsOfSquares(const Tensors& tensors);

// averages[i] += weight·(values[i] − averages[i]); with weight 1 they become the values, bit for bit.
void average(const Tensors& averages, const Tensors& values, double weight);

// What every optimizer needs beside its tensors.
struct UpdateAt {
  double lr, scale;            // the gradients are multiplied by `scale` first
  std::vector<double> decays;  // weight decay, one per parameter
};

// Each makes one step on scale·gradient as src/backends/updates.ts has it; the gradients are zero afterwards.

struct AdamW : UpdateAt {
  double beta1, beta2, eps;
  int64_t step;  // counts from 1
};
void adamw(const Tensors& parameters, const Tensors& gradients, const Tensors& first, const Tensors& second, const AdamW& at);

struct Lars : UpdateAt {
  double momentum, trust, eps;
  std::vector<double> adapts;  // 1 where the step follows the norms, else 0
};
void lars(const Tensors& parameters, const Tensors& gradients, const Tensors& moments, const Lars& at);

struct Lamb : UpdateAt {
  double beta1, beta2, eps;
  int64_t step;  // counts from 1
  bool trustClip;
  std::vector<double> adapts;
};
void lamb(const Tensors& parameters, const Tensors& gradients, const Tensors& first, const Tensors& second, const Lamb& at);

struct Lion : UpdateAt {
  double beta1, beta2;
};
void lion(const Tensors& parameters, const Tensors& gradients, const Tensors& moments, const Lion& at);

}  // namespace patchstream
