#include <algorithm>
#include <numeric>

#include "device/device.h"
#include "ops/ops.h"

namespace patchstream {

namespace {

// Rows of [count, ...] from index vectors [..., depth] into an array of `shape`.
at::Tensor flatIndices(const at::Tensor& index, const std::vector<int64_t>& shape) {
  const int64_t depth = index.size(-1);
  at::Tensor flat = at::zeros(index.sizes().slice(0, index.dim() - 1), index.options().dtype(at::kLong));
  for (int64_t axis = 0; axis < depth; axis++) {
    const at::Tensor along = index.select(-1, axis);
    checkWithin(along, shape[axis], "index");
    flat = flat * shape[axis] + along;
  }
  return flat.reshape({-1});
}

int64_t sizeOf(const std::vector<int64_t>& shape, size_t from, size_t to) {
  return std::accumulate(shape.begin() + from, shape.begin() + to, int64_t{1}, std::multiplies<>());
}

// The k largest of each row, equal ones in the order in which they stand, what is no number last.
void largestOfRows(const at::Tensor& rows, int64_t k, at::Tensor& values, at::Tensor& positions) {
  const float* from = hostData<float>(rows);
  float* value = hostData<float>(values);
  int32_t* position = hostData<int32_t>(positions);
  const int64_t size = rows.size(1);
  std::vector<int32_t> order(size);
  for (int64_t row = 0; row < rows.size(0); row++, from += size, value += k, position += k) {
    std::iota(order.begin(), order.end(), 0);
    std::partial_sort(order.begin(), order.begin() + k, order.end(), [from](int32_t a, int32_t b) {
      if (from[a] > from[b]) return true;
      if (from[a] < from[b]) return false;
      const bool noneA = from[a] != from[a];
      const bool noneB = from[b] != from[b];
      return noneA == noneB ? a < b : noneB;
    });
    for (int64_t i = 0; i < k; i++) {
      position[i] = order[i];
      value[i] = from[order[i]];
    }
  }
}

}  // namespace

void addIndexing(Operations& ops) {
  // x as [batch, outer, count, inner], indices as [batch, n]. Attributes: these four, n, the shape of the result.
  ops.add("GatherV2", [](Call& call) {
    const int64_t batch = call.integer();
    const int64_t outer = call.integer();
    const int64_t count = call.integer();
    const int64_t inner = call.integer();
    const int64_t n = call.integer();
    const at::Tensor x = call.input(0).reshape({batch * outer, count, inner});
    const at::Tensor index = call.input(1).reshape({batch, n});
    checkWithin(index, count, "index");
    if (batch == 1) {
      call.give(x.index_select(1, index.reshape({n})).reshape(call.list()));
      return;
    }
    const at::Tensor starts = at::arange(batch, index.options()).mul(count).unsqueeze(1);
    const at::Tensor rows = x.reshape({batch, outer, count, inner}).transpose(1, 2).reshape({batch * count, outer * inner});
    const at::Tensor picked = rows.index_select(0, (index + starts).reshape({-1}));
    call.give(picked.reshape({batch, n, outer, inner}).transpose(1, 2).reshape(call.list()));
  });
  // x, indices [..., depth]. Attribute: the shape of the result.
  ops.add("GatherNd", [](Call& call) {
    const at::Tensor& x = call.input(0);
    const at::Tensor& index = call.input(1);
    const std::vector<int64_t> shape = x.sizes().vec();
    const size_t depth = index.size(-1);
    const at::Tensor rows = x.reshape({sizeOf(shape, 0, depth), sizeOf(shape, depth, shape.size())});
    call.give(rows.index_select(0, flatIndices(index, shape)).reshape(call.list()));
  });
  // indices [..., depth], updates. Attribute: shape. Updates of one place add up.
  ops.add("ScatterNd", [](Call& call) {
    const at::Tensor& index = call.input(0);
    const std::vector<int64_t> shape = call.list();
    const size_t depth = index.size(-1);
    const int64_t inner = sizeOf(shape, depth, shape.size());
    const at::Tensor& updates = call.input(1);
    const at::Tensor out = at::zeros({sizeOf(shape, 0, depth), inner}, updates.options());
    const at::Tensor flat = flatIndices(index, shape);
    out.index_add_(0, flat, updates.reshape({flat.size(0), inner}));
    call.give(out.reshape(shape));
  });
  // x [rows, inner], ids [rows]. Attributes: segments, the shape of the result. Ids outside are left out.
  ops.add("UnsortedSegmentSum", [](Call& call) {
    const int64_t segments = call.integer();
    const std::vector<int64_t> shape = call.list();
    const int64_t inner = sizeOf(shape, 1, shape.size());
    const at::Tensor ids = call.input(1).reshape({-1}).to(at::kLong);
    const at::Tensor x = call.input(0).reshape({ids.size(0), inner});
    const at::Tensor safe = at::where(at::logical_and(ids >= 0, ids < segments), ids, at::full_like(ids, segments));
    const at::Tensor sums = at::zeros({segments + 1, inner}, x.options());
    sums.index_add_(0, safe, x);
    call.give(sums.narrow(0, 0, segments).reshape(shape));
  });
  // Attributes: dtype, depth, on, off.
  ops.add("OneHot", [](Call& call) {
    const at::Tensor& index = call.input(0);
    const at::ScalarType dtype = call.dtype();
    const at::Tensor hot = at::eq(index.unsqueeze(-1), at::arange(call.integer(), index.options()));
    const double on = call.number();
    const double off = call.number();
    if (on == 1 && off == 0) {
      call.give(hot.to(dtype));
    } else {
      call.give(at::where(hot, at::full_like(hot, on, dtype), at::full_like(hot, off, dtype)));
    }
  });
  // Attribute: k. Along the last axis; values, then positions.
  ops.add("TopK", [](Call& call) {
    const at::Tensor& x = call.input(0);
    const int64_t k = call.integer();
    TORCH_CHECK(k >= 0 && x.dim() > 0 && k <= x.size(-1), "the ", k, " largest of rows of ", x.sizes());
    if (onHost(x) && x.scalar_type() == at::kFloat && x.size(-1) > 0) {
      std::vector<int64_t> shape = x.sizes().vec();
      shape.back() = k;
      at::Tensor values = at::empty(shape, x.options());
      at::Tensor positions = at::empty(shape, x.options().dtype(at::kInt));
      largestOfRows(x.reshape({-1, x.size(-1)}), k, values, positions);
      call.give(values);
      call.give(positions);
      return;
    }
    const auto [values, positions] = at::sort(x, /*stable=*/true, -1, /*descending=*/true);
    call.give(values.narrow(-1, 0, k));
    call.give(positions.narrow(-1, 0, k).to(at::kInt));
  });
}

}  // namespace patchstream
