#include "ops/ops.h"

namespace patchstream {

namespace {

// Whether one of the axes is empty, so that there is nothing to choose from.
bool nothingAlong(const at::Tensor& x, const std::vector<int64_t>& axes) {
  for (const int64_t axis : axes) {
    if (x.size(axis) == 0) return true;
  }
  return false;
}

using Extreme = at::Tensor (*)(const at::Tensor&, at::IntArrayRef, bool);

// Attributes: keepDims, axes.
template <Extreme f>
void extreme(Call& call) {
  const at::Tensor& x = call.input(0);
  const bool keep = call.flag();
  const std::vector<int64_t> axes = call.list();
  if (axes.empty()) {
    call.give(x.clone());
  } else if (nothingAlong(x, axes)) {
    const at::Tensor none = at::sum(asReal(x), axes, keep);
    call.give(asDtype(at::full_like(none, NAN), x.scalar_type()));
  } else {
    call.give(f(x, axes, keep));
  }
}

using Position = at::Tensor (*)(const at::Tensor&, c10::optional<int64_t>, bool);

// The first of the best. As in tfjs, what is no number is never better, and stays when it stands first.
template <Position f, bool largest>
void position(Call& call) {
  const int64_t axis = call.integer();
  at::Tensor x = call.input(0);
  if (x.scalar_type() == at::kBool) x = x.to(at::kInt);
  if (!x.is_floating_point()) {
    call.give(f(x, axis, false).to(at::kInt));
    return;
  }
  const at::Tensor none = at::isnan(x);
  const at::Tensor best = f(at::masked_fill(x, none, largest ? -INFINITY : INFINITY), axis, false);
  call.give(at::masked_fill(best, none.select(axis, 0), 0).to(at::kInt));
}

using Scan = at::Tensor (*)(const at::Tensor&, int64_t, c10::optional<at::ScalarType>);

// Attributes: axis, exclusive, reverse.
template <Scan f>
void scan(Call& call, double start) {
  const at::Tensor& x = call.input(0);
  const at::ScalarType dtype = x.scalar_type() == at::kBool ? at::kInt : x.scalar_type();
  const int64_t axis = call.integer();
  const bool exclusive = call.flag();
  const bool reverse = call.flag();
  at::Tensor values = reverse ? x.flip(axis) : x;
  if (exclusive && x.size(axis) > 0) {
    const at::Tensor first = at::full_like(values.narrow(axis, 0, 1), start);
    values = at::cat({first, values.narrow(axis, 0, x.size(axis) - 1)}, axis);
  }
  const at::Tensor sums = f(values, axis, dtype);
  call.give(reverse ? sums.flip(axis) : sums);
}

// The sum of squares over `radius` neighbours on either side along the last axis, where they exist.
at::Tensor sumOfNeighbours(const at::Tensor& x, int64_t radius) {
  const int64_t depth = x.size(-1);
  const at::Tensor bordered = at::constant_pad_nd(x, {radius, radius});
  at::Tensor sum = at::zeros_like(x);
  for (int64_t shift = 0; shift <= 2 * radius; shift++) sum.add_(bordered.narrow(-1, shift, depth));
  return sum;
}

}  // namespace

void addReductions(Operations& ops) {
  // Attributes: keepDims, axes. tfjs sums bools as integers.
  ops.add("Sum", [](Call& call) {
    const at::Tensor& x = call.input(0);
    const bool keep = call.flag();
    const std::vector<int64_t> axes = call.list();
    const at::ScalarType dtype = x.is_floating_point() ? x.scalar_type() : at::kInt;
    call.give(axes.empty() ? x.to(dtype, false, true) : at::sum(x, axes, keep, dtype));
  });
  ops.add("Mean", [](Call& call) {
    const at::Tensor& x = call.input(0);
    const bool keep = call.flag();
    const std::vector<int64_t> axes = call.list();
    call.give(axes.empty() ? x.to(at::kFloat, false, true) : at::mean(x, axes, keep, at::kFloat));
  });
  ops.add("Prod", [](Call& call) {
    const at::Tensor& x = call.input(0);
    const bool keep = call.flag();
    std::vector<int64_t> axes = call.list();
    at::Tensor y = x.to(x.is_floating_point() ? x.scalar_type() : at::kInt, false, true);
    std::sort(axes.rbegin(), axes.rend());
    for (const int64_t axis : axes) y = at::prod(y, axis, keep, y.scalar_type());
    call.give(y);
  });
  ops.add("Max", extreme<at::amax>);
  ops.add("Min", extreme<at::amin>);
  ops.add("All", [](Call& call) {
    at::Tensor y = call.input(0).to(at::kBool, false, true);
    const bool keep = call.flag();
    std::vector<int64_t> axes = call.list();
    std::sort(axes.rbegin(), axes.rend());
    for (const int64_t axis : axes) y = at::all(y, axis, keep);
    call.give(y);
  });
  ops.add("Any", [](Call& call) {
    at::Tensor y = call.input(0).to(at::kBool, false, true);
    const bool keep = call.flag();
    std::vector<int64_t> axes = call.list();
    std::sort(axes.rbegin(), axes.rend());
    for (const int64_t axis : axes) y = at::any(y, axis, keep);
    call.give(y);
  });
  // Attribute: axis.
  ops.add("ArgMax", position<at::argmax, true>);
  ops.add("ArgMin", position<at::argmin, false>);
  ops.add("Cumsum", [](Call& call) { scan<at::cumsum>(call, 0); });
  ops.add("Cumprod", [](Call& call) { scan<at::cumprod>(call, 1); });
  // Attribute: axis.
  ops.add("Softmax", [](Call& call) { call.give(at::softmax(call.input(0).to(at::kFloat), call.integer())); });
  // Attributes: radius, bias, alpha, beta: x / (bias + alpha · sum of the neighbours' squares)^beta.
  ops.add("LRN", [](Call& call) {
    const at::Tensor& x = call.input(0);
    const int64_t radius = call.integer();
    const double bias = call.number();
    const double alpha = call.number();
    const double beta = call.number();
    call.give(x * at::pow(sumOfNeighbours(x * x, radius) * alpha + bias, -beta));
  });
  // x, y, dy. Attributes as above.
  ops.add("LRNGrad", [](Call& call) {
    const at::Tensor& x = call.input(0);
    const at::Tensor& y = call.input(1);
    const at::Tensor& dy = call.input(2);
    const int64_t radius = call.integer();
    const double bias = call.number();
    const double alpha = call.number();
    const double beta = call.number();
    const at::Tensor norm = sumOfNeighbours(x * x, radius) * alpha + bias;
    const at::Tensor along = sumOfNeighbours(y * dy / norm, radius);
    call.give(dy * at::pow(norm, -beta) - x * along * (2 * alpha * beta));
  });
}

}  // namespace patchstream
