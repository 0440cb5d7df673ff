#include "fused/gemm.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <dlfcn.h>

#include "device/device.h"
#include "threads.h"

namespace patchstream {

namespace {

// The function that oneDNN's C interface has had since 1.0; row-major, answers 0 when it has served.
using DnnlSgemm = int (*)(char, char, int64_t, int64_t, int64_t, float, const float*, int64_t, const float*, int64_t,
                          float, float*, int64_t);

at::Tensor view(const Operand& x, int64_t rows, int64_t columns) {
  const auto strides = x.transposed ? std::vector<int64_t>{1, x.stride} : std::vector<int64_t>{x.stride, 1};
  return at::from_blob(const_cast<float*>(x.data), {rows, columns}, strides, at::kFloat);
}

}  // namespace

void gemm(int64_t m, int64_t n, int64_t k, float alpha, Operand a, Operand b, float beta, float* c, int64_t cStride) {
  static const auto dnnl = reinterpret_cast<DnnlSgemm>(dlsym(RTLD_DEFAULT, "dnnl_sgemm"));
  if (m == 0 || n == 0) return;
  if (dnnl != nullptr && k > 0 &&
      dnnl(a.transposed ? 'T' : 'N', b.transposed ? 'T' : 'N', m, n, k, alpha, a.data, a.stride, b.data, b.stride, beta,
           c, cStride) == 0)
    return;
  const c10::NoGradGuard plain;
  auto out = at::from_blob(c, {m, n}, {cStride, 1}, at::kFloat);
  if (beta == 0) out.zero_();
  out.addmm_(view(a, m, k), view(b, k, n), beta, alpha);
}

at::Tensor denseProduct(const at::Tensor& a, const at::Tensor& b, bool transposeA, bool transposeB) {
  for (const at::Tensor* x : {&a, &b})
    if (!onHost(*x) || x->scalar_type() != at::kFloat || !x->is_contiguous() || x->dim() < 2) return {};
  const int64_t m = a.size(transposeA ? -1 : -2), k = a.size(transposeA ? -2 : -1), n = b.size(transposeB ? -2 : -1);
  const auto outer = a.sizes().slice(0, a.dim() - 2);
  const int64_t countB = c10::multiply_integers(b.sizes().slice(0, b.dim() - 2));
  const bool shared = countB == 1 && b.dim() <= a.dim();
  if (b.size(transposeB ? -1 : -2) != k || !(shared || outer.equals(b.sizes().slice(0, b.dim() - 2)))) return {};
  std::vector<int64_t> shape = outer.vec();
  shape.insert(shape.end(), {m, n});
  const at::Tensor y = at::empty(shape, a.options());
  const int64_t count = c10::multiply_integers(outer);
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
      gemm(m, n, k, 1, {left.data + i * m * k, left.stride, transposeA},
           {right.data + (shared ? 0 : i * n * k), right.stride, transposeB}, 0, out + i * m * n, n);
  });
  return y;
}

}  // namespace patchstream
