#include "ops/ops.h"

namespace patchstream {

namespace {

// Attributes: window (2), strides (2), padding above, below, left, right. Pictures are [N, H, W, C]. Borders are laid around here, for
// ATen's own are even and narrow.
struct Pool {
  explicit Pool(Call& call) : window(call.list()), strides(call.list()), pads(call.list()) {}

  std::vector<int64_t> window;
  std::vector<int64_t> strides;
  std::vector<int64_t> pads;

  bool padded() const { return pads[0] != 0 || pads[1] != 0 || pads[2] != 0 || pads[3] != 0; }
  at::Tensor bordered(const at::Tensor& x, double value) const {
    const at::Tensor first = x.permute({0, 3, 1, 2});
    return padded() ? at::constant_pad_nd(first, {pads[2], pads[3], pads[0], pads[1]}, value) : first;
  }
  at::Tensor withoutBorder(const at::Tensor& bordered) const {
    const at::Tensor inner = padded() ? at::constant_pad_nd(bordered, {-pads[2], -pads[3], -pads[0], -pads[1]}) : bordered;
    return inner.permute({0, 2, 3, 1});
  }
  at::Tensor sums(const at::Tensor& bordered) const {
    return at::avg_pool2d(bordered, window, strides, {0, 0}, false, true, 1);
  }
  // How many pixels each window sees: the border does not count.
  at::Tensor counts(const at::Tensor& x) const {
    if (!padded()) return at::full({}, static_cast<double>(window[0] * window[1]), x.options());
    return sums(bordered(at::ones({1, x.size(1), x.size(2), 1}, x.options()), 0));
  }
};

// In the layout that the pooling gradients of every libtorch take.
at::Tensor plain(const at::Tensor& x) { return x.contiguous(); }

}  // namespace

void addPools(Operations& ops) {
  ops.add("MaxPool", [](Call& call) {
    const Pool pool(call);
    const at::Tensor& x = call.input(0);
    const at::Tensor y = at::max_pool2d(pool.bordered(asReal(x), -INFINITY), pool.window, pool.strides, {0, 0}, {1, 1}, false);
    call.give(asDtype(y.permute({0, 2, 3, 1}), x.scalar_type()));
  });
  // dy, x.
  ops.add("MaxPoolGrad", [](Call& call) {
    const Pool pool(call);
    const at::Tensor& x = call.input(1);
    const at::Tensor bordered = plain(pool.bordered(x, -INFINITY));
    const at::Tensor positions =
        std::get<1>(at::max_pool2d_with_indices(bordered, pool.window, pool.strides, {0, 0}, {1, 1}, false));
    const at::Tensor dy = plain(call.input(0).permute({0, 3, 1, 2}));
    call.give(pool.withoutBorder(
        at::max_pool2d_with_indices_backward(dy, bordered, pool.window, pool.strides, {0, 0}, {1, 1}, false, positions)));
  });
  ops.add("AvgPool", [](Call& call) {
    const Pool pool(call);
    const at::Tensor& x = call.input(0);
    const at::Tensor real = asReal(x);
    const at::Tensor y = pool.sums(pool.bordered(real, 0)) / pool.counts(real);
    call.give(asDtype(y.permute({0, 2, 3, 1}), x.scalar_type()));
  });
  // dy, x. Each window's share goes to the pixels that it saw.
  ops.add("AvgPoolGrad", [](Call& call) {
    const Pool pool(call);
    const at::Tensor& x = call.input(1);
    const at::Tensor shares = plain(call.input(0).permute({0, 3, 1, 2}) / pool.counts(x));
    const at::Tensor bordered = plain(pool.bordered(x, 0));
    call.give(pool.withoutBorder(at::avg_pool2d_backward(shares, bordered, pool.window, pool.strides, {0, 0}, false, true, 1)));
  });
}

}  // namespace patchstream
