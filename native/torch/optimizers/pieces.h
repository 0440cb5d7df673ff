// Lists of tensors on the host, cut into pieces for the threads. Pieces do not depend on the threads, and sums of them are added up in their order: so
// results do not depend on the threads either.
#pragma once

#include <algorithm>
#include <vector>

#include "device/device.h"
#include "fused/simd.h"
#include "optimizers/optimizers.h"
#include "threads.h"

namespace patchstream {

constexpr int64_t pieceFloats = 16 * 1024;

struct Piece {
  size_t tensor;
  int64_t begin, count;
};

inline std::vector<Piece> piecesOf(const Tensors& tensors) {
  std::vector<Piece> pieces;
  for (size_t i = 0; i < tensors.size(); i++)
    for (int64_t begin = 0; tensors[i].defined() && begin < tensors[i].numel(); begin += pieceFloats)
      pieces.push_back({i, begin, std::min(pieceFloats, tensors[i].numel() - begin)});
  return pieces;
}

// Calls run(number of the piece, piece) for each, several at a time.
template <typename Run>
void eachPiece(const std::vector<Piece>& pieces, const Run& run) {
  parallel(pieces.size(), pieceFloats, [&](int64_t begin, int64_t end, int) {
    for (int64_t i = begin; i < end; i++) run(i, pieces[i]);
  });
}

// The numbers of a piece.
inline float* numbersOf(const Tensors& tensors, const Piece& piece) { return hostData<float>(tensors[piece.tensor]) + piece.begin; }

// Values of pieces, added up for each tensor.
inline std::vector<double> totalsOf(const std::vector<Piece>& pieces, const std::vector<double>& parts, size_t tensors) {
  std::vector<double> totals(tensors);
  for (size_t i = 0; i < pieces.size(); i++) totals[pieces[i].tensor] += parts[i];
  return totals;
}

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

// A ratio of norms, 1 where one of them is 0: on a device, where nobody waits for the norms.
inline at::Tensor ratioOr1(const at::Tensor& ratio, const at::Tensor& ours, const at::Tensor& theirs) {
  return at::where(at::minimum(ours, theirs).gt(0), ratio, at::ones_like(ratio));
}

}  // namespace patchstream
