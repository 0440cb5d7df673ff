#include "device/device.h"
#include "fused/simd.h"
#include "ops/ops.h"
#include "threads.h"

namespace patchstream {

namespace {

using Unary = at::Tensor (*)(const at::Tensor&);
using Binary = at::Tensor (*)(const at::Tensor&, const at::Tensor&);

// tfjs computes in floating point and writes the result in the dtype of the input.
template <Unary f>
void unary(Call& call) {
  const at::Tensor& x = call.input(0);
  call.give(x.is_floating_point() ? f(x) : asDtype(f(asReal(x)), x.scalar_type()));
}

// The result is of the first input's dtype; integers by way of floating point, where division and powers leave them.
template <Binary f>
void binary(Call& call) {
  const at::Tensor& a = call.input(0);
  const at::Tensor& b = call.input(1);
  call.give(a.is_floating_point() ? f(a, b) : asDtype(f(asReal(a), asReal(b)), a.scalar_type()));
}

// As `binary`, but exact on integers themselves.
template <Binary f>
void whole(Call& call) {
  const at::Tensor& a = call.input(0);
  const at::Tensor& b = call.input(1);
  if (a.scalar_type() == at::kBool) {
    call.give(f(a.to(at::kInt), b.to(at::kInt)).to(at::kBool));
  } else {
    call.give(f(a, b));
  }
}

template <Binary f>
void comparison(Call& call) {
  call.give(f(call.input(0), call.input(1)));
}

at::Tensor reciprocal(const at::Tensor& x) { return at::reciprocal(x); }
at::Tensor square(const at::Tensor& x) { return x * x; }
at::Tensor relu6(const at::Tensor& x) { return at::clamp(x, 0, 6); }
at::Tensor elu(const at::Tensor& x) { return at::elu(x); }
at::Tensor softplus(const at::Tensor& x) { return at::softplus(x); }
at::Tensor round(const at::Tensor& x) { return at::round(x); }

at::Tensor add(const at::Tensor& a, const at::Tensor& b) { return at::add(a, b); }
at::Tensor sub(const at::Tensor& a, const at::Tensor& b) { return at::sub(a, b); }
at::Tensor divide(const at::Tensor& a, const at::Tensor& b) { return at::div(a, b); }
at::Tensor floorDivide(const at::Tensor& a, const at::Tensor& b) { return at::floor(at::div(a, b)); }
at::Tensor remainder(const at::Tensor& a, const at::Tensor& b) { return at::remainder(a, b); }
at::Tensor power(const at::Tensor& a, const at::Tensor& b) { return at::pow(a, b); }
at::Tensor squaredDifference(const at::Tensor& a, const at::Tensor& b) {
  const at::Tensor difference = a - b;
  return difference * difference;
}

// 1 above 0, `low` at 0 and below; what is no number stays so.
at::Tensor step(const at::Tensor& x, double low) {
  const at::Tensor steps = at::where(x > 0, at::ones_like(x), at::full_like(x, low));
  return at::where(at::isnan(x), x, steps);
}

struct StepLoop {
  template <int W>
  static PATCHSTREAM_INLINE void run(const float* x, float* y, int64_t count, float low) {
    const Floats<W> above = Floats<W>{} + 1.0F, below = Floats<W>{} + low;
    int64_t i = 0;
    for (; i + W <= count; i += W) {
      const Floats<W> v = load<W>(x + i);
      const Floats<W> known = v > 0 ? above : below;
      store<W>(y + i, v == v ? known : v);
    }
    for (; i < count; i++) y[i] = x[i] > 0 ? 1.0F : x[i] <= 0 ? low : x[i];
  }
};

// The same in one pass: it is the gradient of relu.
at::Tensor stepOnHost(const at::Tensor& x, float low) {
  const at::Tensor y = at::empty_like(x);
  const float* from = hostData<float>(x);
  float* to = hostData<float>(y);
  parallel(x.numel(), 1, [&](int64_t begin, int64_t end, int) { simd<StepLoop>(from + begin, to + begin, end - begin, low); });
  return y;
}

void addUnary(Operations& ops) {
  ops.add("Acos", unary<at::acos>);
  ops.add("Acosh", unary<at::acosh>);
  ops.add("Asin", unary<at::asin>);
  ops.add("Asinh", unary<at::asinh>);
  ops.add("Atan", unary<at::atan>);
  ops.add("Atanh", unary<at::atanh>);
  ops.add("Abs", unary<at::abs>);
  ops.add("Ceil", unary<at::ceil>);
  ops.add("Cos", unary<at::cos>);
  ops.add("Cosh", unary<at::cosh>);
  ops.add("Elu", unary<elu>);
  ops.add("Erf", unary<at::erf>);
  ops.add("Exp", [](Call& call) { call.give(at::exp(asReal(call.input(0))).to(at::kFloat)); });
  ops.add("Expm1", unary<at::expm1>);
  ops.add("Floor", unary<at::floor>);
  ops.add("Log", unary<at::log>);
  ops.add("Log1p", unary<at::log1p>);
  ops.add("Neg", unary<at::neg>);
  ops.add("Reciprocal", unary<reciprocal>);
  ops.add("Relu", unary<at::relu>);
  ops.add("Relu6", unary<relu6>);
  ops.add("Round", unary<round>);
  ops.add("Rsqrt", unary<at::rsqrt>);
  ops.add("Selu", unary<at::selu>);
  ops.add("Sigmoid", unary<at::sigmoid>);
  ops.add("Sign", unary<at::sign>);
  ops.add("Sin", unary<at::sin>);
  ops.add("Sinh", unary<at::sinh>);
  ops.add("Softplus", unary<softplus>);
  ops.add("Sqrt", unary<at::sqrt>);
  ops.add("Square", unary<square>);
  ops.add("Tan", unary<at::tan>);
  ops.add("Tanh", unary<at::tanh>);
  ops.add("IsFinite", [](Call& call) { call.give(at::isfinite(call.input(0))); });
  ops.add("IsInf", [](Call& call) { call.give(at::isinf(call.input(0))); });
  ops.add("IsNan", [](Call& call) { call.give(at::isnan(call.input(0))); });
  ops.add("LogicalNot", [](Call& call) { call.give(at::logical_not(call.input(0))); });
  ops.add("ZerosLike", [](Call& call) { call.give(at::zeros_like(call.input(0))); });
  ops.add("OnesLike", [](Call& call) { call.give(at::ones_like(call.input(0))); });
  ops.add("Cast", [](Call& call) { call.give(asDtype(call.input(0), call.dtype())); });
}

void addBinary(Operations& ops) {
  ops.add("Add", whole<add>);
  ops.add("Sub", whole<sub>);
  ops.add("Multiply", whole<at::mul>);
  ops.add("Maximum", whole<at::maximum>);
  ops.add("Minimum", whole<at::minimum>);
  ops.add("SquaredDifference", whole<squaredDifference>);
  ops.add("BitwiseAnd", whole<at::bitwise_and>);
  ops.add("RealDiv", binary<divide>);
  ops.add("Mod", binary<remainder>);
  ops.add("Pow", binary<power>);
  ops.add("Atan2", binary<at::atan2>);
  ops.add("FloorDiv", [](Call& call) {
    call.give(asDtype(floorDivide(asReal(call.input(0)), asReal(call.input(1))), at::kInt));
  });
  ops.add("Equal", comparison<at::eq>);
  ops.add("NotEqual", comparison<at::ne>);
  ops.add("Greater", comparison<at::gt>);
  ops.add("GreaterEqual", comparison<at::ge>);
  ops.add("Less", comparison<at::lt>);
  ops.add("LessEqual", comparison<at::le>);
  ops.add("LogicalAnd", comparison<at::logical_and>);
  ops.add("LogicalOr", comparison<at::logical_or>);
}

}  // namespace

void addElementwise(Operations& ops) {
  addUnary(ops);
  addBinary(ops);
  ops.add("AddN", [](Call& call) {
    at::Tensor sum = call.input(0).clone();
    for (size_t i = 1; i < call.inputs.size(); i++) sum.add_(call.input(i));
    call.give(sum);
  });
  // Attributes: low, high.
  ops.add("ClipByValue", [](Call& call) {
    const at::Tensor& x = call.input(0);
    const double low = call.number();
    call.give(asDtype(at::clamp(asReal(x), low, call.number()), x.scalar_type()));
  });
  // Attribute: the value at 0 and below.
  ops.add("Step", [](Call& call) {
    const at::Tensor& x = call.input(0);
    const double low = call.number();
    call.give(onHost(x) && x.scalar_type() == at::kFloat ? stepOnHost(x, static_cast<float>(low))
                                                          : asDtype(step(asReal(x), low), x.scalar_type()));
  });
  // Attribute: the slope below 0.
  ops.add("LeakyRelu", [](Call& call) {
    call.give(at::leaky_relu(call.input(0).to(at::kFloat), call.number()));
  });
  ops.add("Prelu", [](Call& call) { call.give(leaky(call.input(0).to(at::kFloat), call.input(1).to(at::kFloat))); });
  ops.add("EluGrad", [](Call& call) {
    const at::Tensor& dy = call.input(0);
    const at::Tensor& y = call.input(1);
    call.give(at::where(y >= 0, dy, dy * (y + 1)));
  });
  // Condition, then, else. A condition of rank 1 picks rows.
  ops.add("Select", [](Call& call) {
    at::Tensor condition = call.input(0).to(at::kBool);
    const at::Tensor& then = call.input(1);
    if (condition.dim() == 1 && then.dim() > 1) {
      std::vector<int64_t> column(then.dim(), 1);
      column[0] = condition.size(0);
      condition = condition.reshape(column);
    }
    call.give(at::where(condition, then, call.input(2)));
  });
  // x, mean, variance, offset?, scale? Attribute: epsilon. All broadcast against x from the last axis.
  ops.add("FusedBatchNorm", [](Call& call) {
    const at::Tensor& x = call.input(0);
    at::Tensor factor = at::rsqrt(call.input(2) + call.number());
    if (call.has(4)) factor = factor * call.input(4);
    const at::Tensor y = (x - call.input(1)) * factor;
    call.give(call.has(3) ? y + call.input(3) : y);
  });
  // Attributes: dtype, value, shape.
  ops.add("Fill", [](Call& call) {
    const at::ScalarType dtype = call.dtype();
    const double value = call.number();
    call.give(at::full(call.list(), value, at::TensorOptions(dtype).device(call.device)));
  });
  // Attributes: dtype, count, start, step: start + i · step.
  ops.add("Range", [](Call& call) {
    const at::ScalarType dtype = call.dtype();
    const at::ScalarType real = call.device.type() == at::kMPS ? at::kFloat : at::kDouble;
    const at::Tensor steps = at::arange(call.integer(), at::TensorOptions(real).device(call.device));
    const double start = call.number();
    call.give(asDtype(steps * call.number() + start, dtype));
  });
}

}  // namespace patchstream
