// Products of matrices in plain memory, of float32 or bfloat16 numbers, with sums in float32.
#pragma once

#include <ATen/core/Tensor.h>
#include <c10/util/BFloat16.h>

#include <cstdint>

namespace patchstream {

// A matrix in row-major memory: element (i, j) at data[i·stride + j], or at data[j·stride + i] when it is used transposed.
template <class T>
struct OperandOf {
  const T* data;
  int64_t stride;
  bool transposed = false;
};
using Operand = OperandOf<float>;
using NarrowOperand = OperandOf<c10::BFloat16>;

// c = alpha·a·b + beta·c with a [m, k], b [k, n], c [m, n] of row stride `cStride`; beta = 0 reads nothing of c. On all threads, or on the
// calling one when it stands in `parallel`. oneDNN's product where the process has it, ATen's otherwise.
void gemm(int64_t m, int64_t n, int64_t k, float alpha, Operand a, Operand b, float beta, float* c, int64_t cStride);
void gemm(int64_t m, int64_t n, int64_t k, float alpha, NarrowOperand a, NarrowOperand b, float beta, float* c, int64_t cStride);

// a·b on the last two axes of tensors, each transposed when said. Served for dense float32 tensors on the host whose outer axes are equal, or
// where one of them has no more than one matrix; undefined for all others.
at::Tensor denseProduct(const at::Tensor& a, const at::Tensor& b, bool transposeA, bool transposeB);

}  // namespace patchstream
