#include "ops/ops.h"

#include <cmath>

namespace patchstream {

namespace {

// Attributes: align the corners, pixels are areas with their centre at a half.
struct Mode {
  explicit Mode(Call& call) : alignCorners(call.flag()), halfPixel(call.flag()) {}

  bool alignCorners;
  bool halfPixel;

  double ratio(int64_t from, int64_t to) const {
    return alignCorners && to > 1 ? static_cast<double>(from - 1) / (to - 1) : static_cast<double>(from) / to;
  }
};

// Along one axis: the two sources of each target, and the share of the second. One source with share 0 for the nearest.
struct Sources {
  at::Tensor low;
  at::Tensor high;
  at::Tensor share;
};

Sources sources(const Mode& mode, bool nearest, int64_t from, int64_t to, int64_t axis, const at::TensorOptions& options) {
  std::vector<int64_t> low(to);
  std::vector<int64_t> high(to);
  std::vector<float> share(to);
  const double ratio = mode.ratio(from, to);
  for (int64_t i = 0; i < to; i++) {
    if (nearest) {
      const double at = ratio * (mode.halfPixel ? i + 0.5 : i);
      const double whole = mode.alignCorners ? std::floor(at + 0.5) : std::floor(at);
      low[i] = high[i] = std::min(from - 1, std::max<int64_t>(0, static_cast<int64_t>(whole)));
    } else {
      const double at = mode.halfPixel ? ratio * (i + 0.5) - 0.5 : ratio * i;
      low[i] = std::max<int64_t>(0, static_cast<int64_t>(std::floor(at)));
      high[i] = std::min(from - 1, static_cast<int64_t>(std::ceil(at)));
      share[i] = static_cast<float>(at - low[i]);
    }
  }
  std::vector<int64_t> shape(4, 1);
  shape[axis] = to;
  const at::Device device = options.device();
  return {at::tensor(low, at::TensorOptions(at::kLong)).to(device), at::tensor(high, at::TensorOptions(at::kLong)).to(device),
          at::tensor(share, at::TensorOptions(at::kFloat)).to(device).reshape(shape)};
}

at::Tensor resized(const Mode& mode, bool nearest, at::Tensor x, const std::vector<int64_t>& size) {
  for (const int64_t axis : {1, 2}) {
    const Sources from = sources(mode, nearest, x.size(axis), size[axis - 1], axis, x.options());
    const at::Tensor low = x.index_select(axis, from.low);
    x = nearest ? low : low + (x.index_select(axis, from.high) - low) * from.share;
  }
  return x;
}

// The transpose of `resized`.
at::Tensor unresized(const Mode& mode, bool nearest, at::Tensor dy, const std::vector<int64_t>& size) {
  for (const int64_t axis : {2, 1}) {
    const Sources from = sources(mode, nearest, size[axis - 1], dy.size(axis), axis, dy.options());
    std::vector<int64_t> shape = dy.sizes().vec();
    shape[axis] = size[axis - 1];
    const at::Tensor dx = at::zeros(shape, dy.options());
    const at::Tensor second = dy * from.share;
    dx.index_add_(axis, from.low, dy - second);
    if (!nearest) dx.index_add_(axis, from.high, second);
    dy = dx;
  }
  return dy;
}

void resize(Call& call, bool nearest) {
  const Mode mode(call);
  const at::Tensor& x = call.input(0);
  const at::Tensor y = resized(mode, nearest, nearest ? x : x.to(at::kFloat), call.list());
  call.give(y);
}

// x, dy.
void resizeGrad(Call& call, bool nearest) {
  const Mode mode(call);
  const at::Tensor& x = call.input(0);
  call.give(unresized(mode, nearest, call.input(1), {x.size(1), x.size(2)}));
}

}  // namespace

void addResizes(Operations& ops) {
  // Attributes: the mode, size (2). Pictures are [N, H, W, C].
  ops.add("ResizeBilinear", [](Call& call) { resize(call, false); });
  ops.add("ResizeNearestNeighbor", [](Call& call) { resize(call, true); });
  // Attributes: the mode.
  ops.add("ResizeBilinearGrad", [](Call& call) { resizeGrad(call, false); });
  ops.add("ResizeNearestNeighborGrad", [](Call& call) { resizeGrad(call, true); });
}

}  // namespace patchstream
