#include "gemm.h"

#include <ATen/ATen.h>
#include <dlfcn.h>

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
  at::NoGradGuard plain;
  auto out = at::from_blob(c, {m, n}, {cStride, 1}, at::kFloat);
  if (beta == 0) out.zero_();
  out.addmm_(view(a, m, k), view(b, k, n), beta, alpha);
}

}  // namespace patchstream
