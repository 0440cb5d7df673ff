#include "cuda/kernels.h"
#include "optimizers/pieces.h"

namespace patchstream {

namespace {

struct AddTo {
  template <int W>
  static PATCHSTREAM_INLINE void run(float* sum, const float* x, int64_t count) {
    int64_t i = 0;
    for (; i + W <= count; i += W) store<W>(sum + i, load<W>(sum + i) + load<W>(x + i));
    for (; i < count; i++) sum[i] += x[i];
  }
};

// Counted from the nearer end, so that a weight of 1 gives x itself.
struct Near {
  template <int W>
  static PATCHSTREAM_INLINE void run(float* __restrict a, const float* __restrict x, int64_t count, float weight) {
    const float rest = 1 - weight;
    if (weight < 0.5f)
      for (int64_t i = 0; i < count; i++) a[i] += weight * (x[i] - a[i]);
    else
      for (int64_t i = 0; i < count; i++) a[i] = x[i] - rest * (x[i] - a[i]);
  }
};

}  // namespace

void accumulate(const Tensors& sums, const Tensors& gradients) {
  if (!onHost(sums) || !onHost(gradients)) {
    for (size_t i = 0; i < sums.size(); i++)
      if (gradients[i].defined()) at::Tensor(sums[i]).add_(gradients[i]);
    return;
  }
  eachPiece(piecesOf(gradients), [&](int64_t, const Piece& piece) {
    simd<AddTo>(numbersOf(sums, piece), static_cast<const float*>(numbersOf(gradients, piece)), piece.count);
  });
}

void average(const Tensors& averages, const Tensors& values, double weight) {
  if (!onHost(averages)) {
    for (size_t i = 0; i < averages.size(); i++) at::Tensor(averages[i]).lerp_(values[i], weight);
    return;
  }
  eachPiece(piecesOf(averages), [&](int64_t, const Piece& piece) {
    simd<Near>(numbersOf(averages, piece), static_cast<const float*>(numbersOf(values, piece)), piece.count, static_cast<float>(weight));
  });
}

at::Tensor sumsOfSquares(const Tensors& tensors) {
  TORCH_CHECK(!tensors.empty(), "no tensors");
  if (!onHost(tensors)) {
    if (const auto made = sumsOfSquaresByKernels(tensors)) return *made;
    Tensors sums;
    // Metal has no float64.
    const auto wide = tensors[0].is_cuda() ? at::kDouble : at::kFloat;
    for (const at::Tensor& tensor : tensors) sums.push_back(tensor.to(wide).square().sum());
    return at::stack(sums).to(at::kFloat);
  }
  const std::vector<Piece> pieces = piecesOf(tensors);
  std::vector<double> parts(pieces.size());
  eachPiece(pieces, [&](int64_t i, const Piece& piece) {
    simd<SumSquares>(static_cast<const float*>(numbersOf(tensors, piece)), piece.count, &parts[i]);
  });
  const std::vector<double> totals = totalsOf(pieces, parts, tensors.size());
  const at::Tensor out = at::empty({static_cast<int64_t>(tensors.size())}, tensors[0].options());
  std::copy(totals.begin(), totals.end(), hostData<float>(out));
  return out;
}

}  // namespace patchstream
