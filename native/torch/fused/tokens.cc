#include <algorithm>

#include "device/device.h"
#include "fused/fused.h"
#include "fused/simd.h"
#include "threads.h"

namespace patchstream {

namespace {

void checkIds(const at::Tensor& ids, int64_t n) {
  const int32_t* values = hostData<int32_t>(ids);
  for (int64_t i = 0; i < ids.numel(); i++)
    TORCH_CHECK(values[i] >= 0 && values[i] < n, "token ", values[i], " is not in 0 ... ", n - 1);
}

at::Tensor expanded(const at::Tensor& ids, int64_t width) {
  return ids.to(at::kLong).unsqueeze(-1).expand({ids.size(0), ids.size(1), width});
}

struct AddRow {
  template <int W>
  static PATCHSTREAM_INLINE void run(float* to, const float* from, int64_t count) {
    int64_t i = 0;
    for (; i + W <= count; i += W) store<W>(to + i, load<W>(to + i) + load<W>(from + i));
    for (; i < count; i++) to[i] += from[i];
  }
};

}  // namespace

at::Tensor gatherTokens(const at::Tensor& x, const at::Tensor& ids) {
  const int64_t N = x.size(0), n = x.size(1), width = x.size(2), k = ids.size(1);
  if (!onHost(x)) {
    checkWithin(ids, n, "token");
    return x.gather(1, expanded(ids, width));
  }
  checkIds(ids, n);
  const at::Tensor out = at::empty({N, k, width}, x.options());
  const float* from = hostData<float>(x);
  const int32_t* rows = hostData<int32_t>(ids);
  float* to = hostData<float>(out);
  parallel(N * k, width, [&](int64_t begin, int64_t end, int) {
    for (int64_t i = begin; i < end; i++)
      std::copy_n(from + (i / k * n + rows[i]) * width, width, to + i * width);
  });
  return out;
}

at::Tensor gatherTokensGrad(const at::Tensor& dy, const at::Tensor& ids, int64_t n) {
  const int64_t N = dy.size(0), k = dy.size(1), width = dy.size(2);
  if (!onHost(dy)) {
    checkWithin(ids, n, "token");
    return at::zeros({N, n, width}, dy.options()).scatter_add_(1, expanded(ids, width), dy);
  }
  checkIds(ids, n);
  const at::Tensor out = at::empty({N, n, width}, dy.options());
  const float* from = hostData<float>(dy);
  const int32_t* rows = hostData<int32_t>(ids);
  float* to = hostData<float>(out);
  // One sample belongs to one thread, which adds in the order of the ids.
  parallel(N, n * width, [&](int64_t begin, int64_t end, int) {
    std::fill_n(to + begin * n * width, (end - begin) * n * width, 0.0f);
    for (int64_t i = begin * k; i < end * k; i++) simd<AddRow>(to + (i / k * n + rows[i]) * width, from + i * width, width);
  });
  return out;
}

}  // namespace patchstream
