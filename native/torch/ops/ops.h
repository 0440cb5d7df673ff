#pragma once

#include <ATen/ATen.h>

#include <string>
#include <unordered_map>
#include <vector>

namespace patchstream {

// One call of an operation: tensors in, attributes as plain numbers read in order, tensors out.
class Call {
 public:
  Call(const std::vector<at::Tensor>& inputs, const double* numbers, int count, at::Device device)
      : inputs(inputs), device(device), next_(numbers), end_(numbers + count) {}

  // Undefined tensors stand for optional inputs that were not given.
  const std::vector<at::Tensor>& inputs;
  std::vector<at::Tensor> outputs;
  // Where tensors that come from no input are made.
  const at::Device device;
  // The first output may be of bfloat16: a replay knows that all who read it take it so.
  bool narrow = false;

  const at::Tensor& input(size_t i) const {
    TORCH_CHECK(i < inputs.size() && inputs[i].defined(), "input ", i, " is missing");
    return inputs[i];
  }
  bool has(size_t i) const { return i < inputs.size() && inputs[i].defined(); }

  // The next attribute.
  double number() {
    TORCH_CHECK(next_ < end_, "an attribute is missing");
    return *next_++;
  }
  int64_t integer() { return static_cast<int64_t>(number()); }
  bool flag() { return number() != 0; }
  // A list is its length, then its numbers.
  std::vector<int64_t> list() {
    std::vector<int64_t> values(integer());
    for (int64_t& value : values) value = integer();
    return values;
  }
  at::ScalarType dtype();

  void give(const at::Tensor& tensor) { outputs.push_back(tensor); }

 private:
  const double* next_;
  const double* end_;
};

using Operation = void (*)(Call&);

// The operations by number, and the names by which JavaScript learns the numbers.
class Operations {
 public:
  void add(const char* name, Operation operation);
  void run(int32_t opcode, Call& call) const {
    TORCH_CHECK(opcode >= 0 && opcode < static_cast<int32_t>(operations_.size()), "no operation ", opcode);
    operations_[opcode](call);
  }
  const std::vector<std::string>& names() const { return names_; }

 private:
  std::vector<std::string> names_;
  std::vector<Operation> operations_;
};

// All operations, the same in every environment.
const Operations& operations();

// The dtypes of tfjs by number: 0 float32, 1 int32, 2 bool; and 3 bfloat16, which stays inside.
at::ScalarType dtypeOf(int64_t number);
int32_t numberOf(at::ScalarType dtype);

// Numbers as JavaScript writes them into an array of `dtype`: into integers cut at the point and wrapped, what is no number as 0.
at::Tensor asDtype(const at::Tensor& x, at::ScalarType dtype);

// Floating point that holds every int32: float64 where the device has it. Floats stay as they are.
at::Tensor asReal(const at::Tensor& x);

// tfjs' fused activations by number: 0 none, 1 relu, 2 relu6, 3 elu, 4 sigmoid, 5 leaky relu by `alpha`, 6 prelu by `weights`.
at::Tensor activate(const at::Tensor& x, int64_t activation, double alpha, const at::Tensor& weights);

// tfjs' x < 0 ? slope · x : x.
at::Tensor leaky(const at::Tensor& x, const at::Tensor& slope);

void addElementwise(Operations& operations);
void addReductions(Operations& operations);
void addProducts(Operations& operations);
void addShapes(Operations& operations);
void addIndexing(Operations& operations);
void addConvolutions(Operations& operations);
void addPools(Operations& operations);
void addResizes(Operations& operations);
void addFused(Operations& operations);

}  // namespace patchstream
