#include "fused/gemm.h"
#include "ops/ops.h"

namespace patchstream {

namespace {

// a · b on the last two axes, outer axes broadcast. Integers by way of floating point, as tfjs does.
at::Tensor product(const at::Tensor& left, const at::Tensor& right, bool transposeA, bool transposeB) {
  if (at::Tensor y = denseProduct(left, right, transposeA, transposeB); y.defined()) return y;
  const at::Tensor a = transposeA ? left.transpose(-2, -1) : left;
  const at::Tensor b = transposeB ? right.transpose(-2, -1) : right;
  if (!a.is_floating_point()) return asDtype(at::matmul(asReal(a), asReal(b)), left.scalar_type());
  // One right operand for all: one tall product instead of a batch of small ones.
  if (a.dim() > 2 && !transposeA && b.numel() == b.size(-2) * b.size(-1) && b.dim() <= a.dim()) {
    std::vector<int64_t> shape = a.sizes().vec();
    shape.back() = b.size(-1);
    const at::Tensor rows = a.reshape({a.numel() / std::max<int64_t>(a.size(-1), 1), a.size(-1)});
    if (a.size(-1) > 0) return at::mm(rows, b.reshape({b.size(-2), b.size(-1)})).reshape(shape);
  }
  return at::matmul(a, b);
}

}  // namespace

void addProducts(Operations& ops) {
  // Attributes: transposeA, transposeB.
  ops.add("BatchMatMul", [](Call& call) {
    const bool transposeA = call.flag();
    call.give(product(call.input(0), call.input(1), transposeA, call.flag()));
  });
  // a, b, bias?, weights of prelu? Attributes: transposeA, transposeB, activation, alpha.
  ops.add("_FusedMatMul", [](Call& call) {
    const at::Tensor& a = call.input(0);
    const at::Tensor& b = call.input(1);
    const bool transposeA = call.flag();
    const bool transposeB = call.flag();
    at::Tensor y = product(a, b, transposeA, transposeB);
    if (call.has(2)) y = y + call.input(2);
    const int64_t activation = call.integer();
    const double alpha = call.number();
    call.give(activate(y, activation, alpha, call.has(3) ? call.input(3) : at::Tensor()));
  });
  // Attributes: how many axes stay, then for each input the list of its axes, numbered through all inputs; those that stay come first.
  ops.add("Einsum", [](Call& call) {
    const int64_t kept = call.integer();
    std::string equation;
    std::vector<at::Tensor> reals;
    const auto letter = [](int64_t axis) { return static_cast<char>(axis < 26 ? 'a' + axis : 'A' + axis - 26); };
    for (size_t i = 0; i < call.inputs.size(); i++) {
      if (i > 0) equation += ',';
      for (const int64_t axis : call.list()) equation += letter(axis);
      reals.push_back(asReal(call.input(i)));
    }
    equation += "->";
    for (int64_t axis = 0; axis < kept; axis++) equation += letter(axis);
    call.give(asDtype(at::einsum(equation, reals), call.input(0).scalar_type()));
  });
}

}  // namespace patchstream
