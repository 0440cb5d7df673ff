#include <algorithm>

#include "device/device.h"
#include "fused/panels/operations.h"
#include "fused/panels/panels.h"
#include "fused/simd.h"
#include "threads.h"

namespace patchstream {

namespace {

// Rows that a thread takes at a time: each panel of the weight is read once for all of them.
constexpr int64_t blockRows = 4 * stripRows;

// Rows whose products are added to the weights' gradient at a time: in panels they stay in the processor's cache.
constexpr int64_t leastGroup = 8 * blockRows;

// Numbers of each row that are multiplied at a time, so that the part of a panel that they meet stays in the core's cache.
constexpr int64_t partDepth = 512;

// Weights with fewer numbers are multiplied as fast by the library, which need not cut the rows.
constexpr int64_t leastWeights = 384 * 1024;

// Rows of x, times those of `slope` where there is one, to panels `step` floats apart; sums[i] gets the sums over rows of what goes there, where they are wanted.
struct CutRows {
  template <int W>
  static PATCHSTREAM_INLINE void run(const float* x, const float* slope, float* to, int64_t step, float* sums, int64_t rows, int64_t width) {
    for (int64_t row = 0; row < rows; row++) {
      for (int64_t i = 0; i < width; i += W) {
        Floats<W> value = load<W>(x + row * width + i);
        if (slope != nullptr) value *= load<W>(slope + row * width + i);
        if (sums != nullptr) store<W>(sums + i, load<W>(sums + i) + value);
        store<W>(to + i / panelWidth * step + row * panelWidth + i % panelWidth, value);
      }
    }
  }
};

// The weight [in, out], transposed, as a right factor: panel by panel.
at::Tensor cutTransposed(const at::Tensor& weight) {
  const int64_t in = weight.size(0), out = weight.size(1);
  const at::Tensor panels = at::empty({in * out}, weight.options());
  const float* from = hostData<float>(weight);
  float* to = hostData<float>(panels);
  parallel(in / panelWidth, out * panelWidth, [&](int64_t begin, int64_t end, int) {
    for (int64_t i = begin; i < end; i++) {
      const float* rows = from + i * panelWidth * out;
      float* panel = to + i * panelWidth * out;
      for (int64_t block = 0; block < out; block += panelWidth)
        for (int64_t row = 0; row < panelWidth; row++)
          for (int64_t k = block; k < block + panelWidth; k++) panel[k * panelWidth + row] = rows[row * out + k];
    }
  });
  return panels;
}

}  // namespace

bool panelsServeGrad(int64_t rows, int64_t in, int64_t out) {
  return hostHasPanels() && rows >= blockRows && in % panelWidth == 0 && out % panelWidth == 0 && in * out >= leastWeights;
}

LinearGrad linearGradByPanels(const at::Tensor& dy, const at::Tensor& x, const at::Tensor& weight, const at::Tensor& saved, bool withBias) {
  const int64_t rows = x.size(0), in = weight.size(0), out = weight.size(1);
  // Of one size: each goes over all of dWeight.
  const int64_t groups = (rows - 1) / std::max(leastGroup, threadCount() * blockRows) + 1;
  const int64_t group = (rows + groups - 1) / groups;
  LinearGrad grad{at::empty({rows, in}, dy.options()), at::empty({in, out}, dy.options()), at::Tensor()};
  const at::Tensor sums = withBias ? at::zeros({threadCount(), out}, dy.options()) : at::Tensor();
  const at::Tensor panels = cutTransposed(weight), memory = at::empty({group * (in + out)}, dy.options());
  const float* change = hostData<float>(dy);
  const float* slope = saved.defined() ? hostData<float>(saved) : nullptr;
  const float* from = hostData<float>(x);
  const float* right = hostData<float>(panels);
  float* lefts = hostData<float>(memory);
  float* changes = lefts + group * in;
  float* dx = hostData<float>(grad.dx);
  float* dWeight = hostData<float>(grad.dWeight);
  const int64_t ins = in / panelWidth, outs = out / panelWidth;
  for (int64_t first = 0; first < rows; first += group) {
    const int64_t there = std::min(group, rows - first), step = there * panelWidth;
    parallel(there, in * out / 16, [&](int64_t begin, int64_t end, int part) {
      float* partSums = withBias ? hostData<float>(sums) + part * out : nullptr;
      for (int64_t i = begin; i < end; i += blockRows) {
        const int64_t row = first + i, count = std::min(blockRows, end - i);
        float* cut = changes + i * panelWidth;
        simd<CutRows>(change + row * out, slope == nullptr ? slope : slope + row * out, cut, step, partSums, count, out);
        simd<CutRows>(from + row * in, static_cast<const float*>(nullptr), lefts + i * panelWidth, step, static_cast<float*>(nullptr), count, in);
        for (int64_t k = 0; k < out; k += partDepth)
          for (int64_t panel = 0; panel < ins; panel++)
            multiplyPanel({cut + k / panelWidth * step, step}, right + (panel * out + k) * panelWidth, dx + row * in + panel * panelWidth, in, count,
                          std::min(partDepth, out - k), k > 0);
      }
    });
    // Panels of x by fours, which stay in the core's cache for each of dy.
    parallel(ins * outs, panelWidth * panelWidth * there / 16, [&](int64_t begin, int64_t end, int) {
      for (int64_t i = begin; i < end; i++) {
        const int64_t four = i / (4 * outs) * 4, width = std::min<int64_t>(4, ins - four), inside = i - four * outs;
        const int64_t row = four + inside % width, column = inside / width;
        multiplyTransposed(lefts + row * step, changes + column * step, dWeight + row * panelWidth * out + column * panelWidth, out, there, first > 0);
      }
    });
  }
  if (withBias) grad.dBias = sums.sum(0);
  return grad;
}

}  // namespace patchstream
