#include "ops/ops.h"

#include <array>

namespace patchstream {

namespace {

// The geometry of a convolution as JavaScript has worked it out. Attributes, in this order: channels last, groups (1, or the input's
// channels for depthwise), strides (2), dilations (2), padding above, below, left, right.
struct Geometry {
  explicit Geometry(Call& call)
      : channelsLast(call.flag()), groups(call.integer()), strides(call.list()), dilations(call.list()), pads(call.list()) {}

  bool channelsLast;
  int64_t groups;
  std::vector<int64_t> strides;
  std::vector<int64_t> dilations;
  std::vector<int64_t> pads;

  // ATen pads both sides alike; the rest is padded before.
  bool even() const { return pads[0] == pads[1] && pads[2] == pads[3]; }
  std::vector<int64_t> evenPads() const {
    return even() ? std::vector<int64_t>{pads[0], pads[2]} : std::vector<int64_t>{0, 0};
  }
  at::Tensor bordered(const at::Tensor& x) const {
    return even() ? x : at::constant_pad_nd(x, {pads[2], pads[3], pads[0], pads[1]});
  }
  at::Tensor withoutBorder(const at::Tensor& x) const {
    return even() ? x : at::constant_pad_nd(x, {-pads[2], -pads[3], -pads[0], -pads[1]});
  }

  // [N, H, W, C] <-> [N, C, H, W], without moving anything.
  at::Tensor channelsFirst(const at::Tensor& x) const { return channelsLast ? x.permute({0, 3, 1, 2}) : x; }
  at::Tensor back(const at::Tensor& x) const { return channelsLast ? x.permute({0, 2, 3, 1}) : x; }

  // tfjs' filter [h, w, in, out] to ATen's [out, in, h, w]; depthwise [h, w, C, M] to [C·M, 1, h, w].
  at::Tensor weight(const at::Tensor& filter) const {
    if (groups == 1) return filter.permute({3, 2, 0, 1});
    return filter.permute({2, 3, 0, 1}).reshape({filter.size(2) * filter.size(3), 1, filter.size(0), filter.size(1)});
  }
  at::Tensor filter(const at::Tensor& weight, int64_t outer) const {
    if (groups == 1) return weight.permute({2, 3, 1, 0});
    return weight.reshape({groups, outer, weight.size(2), weight.size(3)}).permute({2, 3, 0, 1});
  }
};

at::Tensor convolve(const Geometry& geometry, const at::Tensor& x, const at::Tensor& filter, const at::Tensor& bias) {
  at::Tensor weight = geometry.weight(asReal(filter));
  // The way that libtorch takes for no pictures wants it so.
  if (x.numel() == 0) weight = weight.contiguous();
  const at::Tensor y = at::convolution(geometry.bordered(geometry.channelsFirst(asReal(x))), weight, bias, geometry.strides,
                                       geometry.evenPads(), geometry.dilations, false, {0, 0}, geometry.groups);
  return asDtype(geometry.back(y), x.scalar_type());
}

std::tuple<at::Tensor, at::Tensor, at::Tensor> backward(const Geometry& geometry, const at::Tensor& dy, const at::Tensor& x,
                                                        const at::Tensor& weight, std::array<bool, 3> wanted) {
  return at::convolution_backward(geometry.channelsFirst(dy), x, weight, c10::nullopt, geometry.strides, geometry.evenPads(),
                                  geometry.dilations, false, {0, 0}, geometry.groups, wanted);
}

}  // namespace

void addConvolutions(Operations& ops) {
  // x, filter. Attributes: the geometry.
  ops.add("Conv2D", [](Call& call) {
    const Geometry geometry(call);
    call.give(convolve(geometry, call.input(0), call.input(1), at::Tensor()));
  });
  // x, filter, bias?, weights of prelu? Attributes: the geometry, activation, alpha.
  ops.add("FusedConv2D", [](Call& call) {
    const Geometry geometry(call);
    const bool alongChannels = call.has(2) && call.input(2).dim() == 1;
    at::Tensor y = convolve(geometry, call.input(0), call.input(1), alongChannels ? call.input(2) : at::Tensor());
    if (call.has(2) && !alongChannels) y = y + call.input(2);
    const int64_t activation = call.integer();
    const double alpha = call.number();
    call.give(activate(y, activation, alpha, call.has(3) ? call.input(3) : at::Tensor()));
  });
  // dy, filter. Attributes: the geometry, the shape of x as tfjs has it.
  ops.add("Conv2DBackpropInput", [](Call& call) {
    const Geometry geometry(call);
    const std::vector<int64_t> shape = call.list();
    const at::Tensor& dy = call.input(0);
    const at::Tensor x = geometry.channelsFirst(at::empty({1}, dy.options()).expand(shape));
    const at::Tensor bordered = geometry.even() ? x : x.new_empty({1}).expand(geometry.bordered(x).sizes());
    const auto grads = backward(geometry, dy, bordered, geometry.weight(call.input(1)), {true, false, false});
    call.give(geometry.back(geometry.withoutBorder(std::get<0>(grads))));
  });
  // x, dy. Attributes: the geometry, the shape of the filter as tfjs has it.
  ops.add("Conv2DBackpropFilter", [](Call& call) {
    const Geometry geometry(call);
    const std::vector<int64_t> shape = call.list();
    const at::Tensor& x = call.input(0);
    const at::Tensor weight = geometry.weight(at::empty({1}, x.options()).expand(shape));
    const auto grads =
        backward(geometry, call.input(1), geometry.bordered(geometry.channelsFirst(x)), weight, {false, true, false});
    call.give(geometry.filter(std::get<1>(grads), shape[3]));
  });
}

}  // namespace patchstream
