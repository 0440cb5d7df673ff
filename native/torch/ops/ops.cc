#include "ops/ops.h"

namespace patchstream {

void Operations::add(const char* name, Operation operation) {
  names_.emplace_back(name);
  operations_.push_back(operation);
}

// Never destroyed: threads may still be at work when the process ends.
const Operations& operations() {
  static const Operations& all = *new Operations([] {
    Operations made;
    addElementwise(made);
    addReductions(made);
    addProducts(made);
    addShapes(made);
    addIndexing(made);
    addConvolutions(made);
    addPools(made);
    addResizes(made);
    addFused(made);
    return made;
  }());
  return all;
}

at::ScalarType dtypeOf(int64_t number) {
  switch (number) {
    case 0:
      return at::kFloat;
    case 1:
      return at::kInt;
    case 2:
      return at::kBool;
    case 3:
      return at::kBFloat16;
    default:
      TORCH_CHECK(false, "no dtype ", number);
  }
}

int32_t numberOf(at::ScalarType dtype) {
  switch (dtype) {
    case at::kFloat:
      return 0;
    case at::kInt:
      return 1;
    case at::kBool:
      return 2;
    case at::kBFloat16:
      return 3;
    default:
      TORCH_CHECK(false, "an operation gave the dtype ", dtype, ", which tfjs has not");
  }
}

at::ScalarType Call::dtype() { return dtypeOf(integer()); }

at::Tensor asDtype(const at::Tensor& x, at::ScalarType dtype) {
  // By way of int64, whose lowest bits are what JavaScript keeps; what is no number becomes the least int64, whose low bits are 0.
  if (dtype == at::kInt && x.is_floating_point()) return x.to(at::kLong).to(at::kInt);
  return x.to(dtype);
}

at::Tensor asReal(const at::Tensor& x) {
  if (x.is_floating_point()) return x;
  return x.to(x.device().type() == at::kMPS ? at::kFloat : at::kDouble);
}

at::Tensor leaky(const at::Tensor& x, const at::Tensor& slope) { return at::where(x < 0, x * slope, x); }

at::Tensor activate(const at::Tensor& x, int64_t activation, double alpha, const at::Tensor& weights) {
  switch (activation) {
    case 0:
      return x;
    case 1:
      return at::relu(x);
    case 2:
      return at::clamp(x, 0, 6);
    case 3:
      return at::elu(x);
    case 4:
      return at::sigmoid(x);
    case 5:
      return at::leaky_relu(x, alpha);
    case 6:
      return leaky(x, weights);
    default:
      TORCH_CHECK(false, "no activation ", activation);
  }
}

}  // namespace patchstream
