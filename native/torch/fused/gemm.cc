#include "fused/gemm.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <dlfcn.h>

#include <algorithm>
#include <limits>
#include <utility>
#include <vector>

#include "device/device.h"
#include "fused/simd.h"
#include "threads.h"

namespace patchstream {

namespace {

// The functions that oneDNN's C interface has had since 1.0; row-major, answer 0 when they have served.
template <class T>
using DnnlGemm = int (*)(char, char, int64_t, int64_t, int64_t, float, const T*, int64_t, const T*, int64_t, float, float*,
                         int64_t);
// MKL's, which a libtorch from PyPI holds where it hides oneDNN's: row-major is 101, a matrix as it lies 111, transposed 112.
using MklNarrow = void (*)(int, int, int, int, int, int, float, const c10::BFloat16*, int, const c10::BFloat16*, int, float,
                           float*, int);

template <class T>
at::Tensor view(const OperandOf<T>& x, int64_t rows, int64_t columns) {
  const auto strides = x.transposed ? std::vector<int64_t>{1, x.stride} : std::vector<int64_t>{x.stride, 1};
  return at::from_blob(const_cast<T*>(x.data), {rows, columns}, strides, c10::CppTypeToScalarType<T>::value);
}

template <class T>
bool byOneDnn(DnnlGemm<T> dnnl, int64_t m, int64_t n, int64_t k, float alpha, const OperandOf<T>& a, const OperandOf<T>& b,
              float beta, float* c, int64_t cStride) {
  return dnnl != nullptr && k > 0 &&
         dnnl(a.transposed ? 'T' : 'N', b.transposed ? 'T' : 'N', m, n, k, alpha, a.data, a.stride, b.data, b.stride, beta,
              c, cStride) == 0;
}

// MKL multiplies bfloat16 faster than float32 on Intel's processors alone.
bool isIntel() {
#ifdef PATCHSTREAM_X86
  static const bool is = [] {
    __builtin_cpu_init();
    return __builtin_cpu_is("intel") != 0;
  }();
  return is;
#else
  return false;
#endif
}

// The same numbers in float32, whose products are exact: as good as a product of bfloat16, for those that are too small for ATen.
void widened(int64_t m, int64_t n, int64_t k, float alpha, const NarrowOperand& a, const NarrowOperand& b, float beta, float* c,
             int64_t cStride) {
  const auto wide = [](const NarrowOperand& x, int64_t rows, int64_t columns, std::vector<float>& into) {
    if (x.transposed) std::swap(rows, columns);
    into.resize(rows * columns);
    for (int64_t row = 0; row < rows; row++)
      for (int64_t i = 0; i < columns; i++) into[row * columns + i] = x.data[row * x.stride + i];
    return Operand{into.data(), columns, x.transposed};
  };
  std::vector<float> left, right;
  gemm(m, n, k, alpha, wide(a, m, k, left), wide(b, k, n, right), beta, c, cStride);
}

constexpr int64_t smallProduct = 128 * 128 * 128;

at::Tensor result(float* c, int64_t m, int64_t n, int64_t cStride, float beta) {
  at::Tensor out = at::from_blob(c, {m, n}, {cStride, 1}, at::kFloat);
  if (beta == 0) out.zero_();
  return out;
}

}  // namespace

void gemm(int64_t m, int64_t n, int64_t k, float alpha, Operand a, Operand b, float beta, float* c, int64_t cStride) {
  static const auto dnnl = reinterpret_cast<DnnlGemm<float>>(dlsym(RTLD_DEFAULT, "dnnl_sgemm"));
  if (m == 0 || n == 0 || byOneDnn(dnnl, m, n, k, alpha, a, b, beta, c, cStride)) return;
  const c10::NoGradGuard plain;
  result(c, m, n, cStride, beta).addmm_(view(a, m, k), view(b, k, n), beta, alpha);
}

void gemm(int64_t m, int64_t n, int64_t k, float alpha, NarrowOperand a, NarrowOperand b, float beta, float* c, int64_t cStride) {
  static const auto dnnl = reinterpret_cast<DnnlGemm<c10::BFloat16>>(dlsym(RTLD_DEFAULT, "dnnl_gemm_bf16bf16f32"));
  static const auto mkl = reinterpret_cast<MklNarrow>(dlsym(RTLD_DEFAULT, "cblas_gemm_bf16bf16f32"));
  if (m == 0 || n == 0 || byOneDnn(dnnl, m, n, k, alpha, a, b, beta, c, cStride)) return;
  constexpr int64_t most = std::numeric_limits<int>::max();
  if (mkl != nullptr && isIntel() && k > 0 && std::max({m, n, k, a.stride, b.stride, cStride}) <= most) {
    mkl(101, a.transposed ? 112 : 111, b.transposed ? 112 : 111, m, n, k, alpha, a.data, a.stride, b.data, b.stride, beta, c,
        cStride);
    return;
  }
  if (m * n * k < smallProduct) return widened(m, n, k, alpha, a, b, beta, c, cStride);
  const c10::NoGradGuard plain;
  result(c, m, n, cStride, beta).mul_(beta).add_(at::mm(view(a, m, k), view(b, k, n)), alpha);
}

at::Tensor denseProduct(const at::Tensor& a, const at::Tensor& b, bool transposeA, bool transposeB) {
  for (const at::Tensor* x : {&a, &b})
    if (!onHost(*x) || x->scalar_type() != at::kFloat || !x->is_contiguous() || x->dim() < 2) return {};
  const int64_t m = a.size(transposeA ? -1 : -2), k = a.size(transposeA ? -2 : -1), n = b.size(transposeB ? -2 : -1);
  const auto outerA = a.sizes().slice(0, a.dim() - 2), outerB = b.sizes().slice(0, b.dim() - 2);
  const bool shared = c10::multiply_integers(outerB) == 1 && b.dim() <= a.dim();
  const bool sharedA = !shared && c10::multiply_integers(outerA) == 1 && a.dim() <= b.dim();
  if (b.size(transposeB ? -1 : -2) != k || !(shared || sharedA || outerA.equals(outerB))) return {};
  const auto outer = sharedA ? outerB : outerA;
  std::vector<int64_t> shape = outer.vec();
  shape.insert(shape.end(), {m, n});
  const at::Tensor y = at::empty(shape, a.options());
  const int64_t count = c10::multiply_integers(outer);
  // Each product is one core's.
  if (sharedA && count < threadCount()) return {};
  const Operand left{hostData<float>(a), a.size(-1), transposeA};
  const Operand right{hostData<float>(b), b.size(-1), transposeB};
  float* out = hostData<float>(y);
  // One right operand for all: one tall product instead of a batch of small ones.
  if (count == 1 || (shared && !transposeA)) {
    gemm(count * m, n, k, 1, left, right, 0, out, n);
    return y;
  }
  parallel(count, m * n * k / 16, [&](int64_t begin, int64_t end, int) {
    for (int64_t i = begin; i < end; i++)
      gemm(m, n, k, 1, {left.data + (sharedA ? 0 : i * m * k), left.stride, transposeA},
           {right.data + (shared ? 0 : i * n * k), right.stride, transposeB}, 0, out + i * m * n, n);
  });
  return y;
}

}  // namespace patchstream
