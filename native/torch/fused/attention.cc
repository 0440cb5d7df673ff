#include <algorithm>
#include <cmath>
#include <limits>

#include "device/device.h"
#include "fused/fused.h"
#include "fused/gemm.h"
#include "fused/simd.h"
#include "threads.h"

namespace patchstream {

namespace {

// Sizes, and where a head's parts stand in the memory of qkv [B, T, 3·heads·d].
struct Layout {
  int64_t batch, T, heads, d, buckets;
  float scale, tableScale;

  int64_t width() const { return heads * d; }
  int64_t stride() const { return 3 * heads * d; }
  int64_t query(int64_t b, int64_t h) const { return b * T * stride() + h * d; }
  int64_t output(int64_t b, int64_t h) const { return b * T * width() + h * d; }
};

Layout layoutOf(const at::Tensor& qkv, const at::Tensor& table, AttentionSetting at) {
  const int64_t d = qkv.size(2) / (3 * at.heads);
  const float scale = 1 / std::sqrt(static_cast<float>(d));
  return {qkv.size(0), qkv.size(1), at.heads, d, table.defined() ? table.size(1) : 0, scale, at.scaled ? scale : 1};
}

// Logits [T, T] to shares, in place: row i has perBucket[i, ids[i, j]] added, where there is a table.
struct ShareRows {
  template <int W>
  static PATCHSTREAM_INLINE void run(float* logits, const float* perBucket, const int32_t* ids, int64_t T,
                                     int64_t buckets) {
    using F = Floats<W>;
    const int64_t whole = T - T % W;
    const int64_t rest = T - whole;
    constexpr float none = -std::numeric_limits<float>::infinity();
    for (int64_t i = 0; i < T; i++, logits += T) {
      if (perBucket != nullptr) {
        const float* terms = perBucket + i * buckets;
        const int32_t* row = ids + i * T;
        for (int64_t j = 0; j < T; j++) logits[j] += terms[row[j]];
      }
      F highest = F{} + none;
      for (int64_t j = 0; j < whole; j += W) {
        const F x = load<W>(logits + j);
        highest = x > highest ? x : highest;
      }
      const F last = loadSome<W>(logits + whole, rest, none);
      highest = last > highest ? last : highest;
      const float top = maxOf<W>(highest);
      F total{};
      for (int64_t j = 0; j < whole; j += W) {
        const F share = expOf<W>(load<W>(logits + j) - top);
        total += share;
        store<W>(logits + j, share);
      }
      if (rest > 0) {
        const F share = expOf<W>(last - top);
        total += share;
        storeSome<W>(logits + whole, share, rest);
      }
      const float factor = 1 / sumOf<W>(total);
      for (int64_t j = 0; j < whole; j += W) store<W>(logits + j, load<W>(logits + j) * factor);
      for (int64_t j = whole; j < T; j++) logits[j] *= factor;
    }
  }
};

// dShares [T, T] to dLogits, in place: (dShares − Σ dy·y)·shares; dPerBucket [T, buckets] gets the sums by bucket, where there is a table.
struct ShareGradRows {
  template <int W>
  static PATCHSTREAM_INLINE void run(float* change, const float* shares, const float* dy, const float* y, float* dPerBucket,
                                     const int32_t* ids, const Layout* at) {
    using F = Floats<W>;
    const int64_t T = at->T;
    for (int64_t i = 0; i < T; i++, change += T, shares += T, dy += at->width(), y += at->width()) {
      F products{};
      int64_t c = 0;
      for (; c + W <= at->d; c += W) products += load<W>(dy + c) * load<W>(y + c);
      float mean = sumOf<W>(products);
      for (; c < at->d; c++) mean += dy[c] * y[c];
      int64_t j = 0;
      for (; j + W <= T; j += W) store<W>(change + j, (load<W>(change + j) - mean) * load<W>(shares + j));
      for (; j < T; j++) change[j] = (change[j] - mean) * shares[j];
      if (dPerBucket == nullptr) continue;
      float* sums = dPerBucket + i * at->buckets;
      const int32_t* row = ids + i * T;
      std::fill(sums, sums + at->buckets, 0.0f);
      for (j = 0; j < T; j++) sums[row[j]] += change[j];
    }
  }
};

void checkIds(const at::Tensor& ids, int64_t T, int64_t buckets) {
  TORCH_CHECK(ids.numel() == T * T, "bucketIds has ", ids.numel(), " numbers, expected ", T * T);
  const int32_t* values = hostData<int32_t>(ids);
  for (int64_t i = 0; i < T * T; i++)
    TORCH_CHECK(values[i] >= 0 && values[i] < buckets, "bucket ", values[i], " is not in 0 ... ", buckets - 1);
}

// What the composed forms share: q, k, v as [B, heads, T, d].
struct Heads {
  at::Tensor q, k, v;
};

Heads headsOf(const at::Tensor& qkv, const Layout& at) {
  const at::Tensor parts = qkv.view({at.batch, at.T, 3, at.heads, at.d}).permute({2, 0, 3, 1, 4});
  return {parts[0], parts[1], parts[2]};
}

at::Tensor expanded(const at::Tensor& ids, const Layout& at) {
  return ids.to(at::kLong).view({1, 1, at.T, at.T}).expand({at.batch, at.heads, at.T, at.T});
}

Attention composed(const at::Tensor& qkv, const at::Tensor& table, const at::Tensor& ids, const Layout& at) {
  const auto [q, k, v] = headsOf(qkv, at);
  at::Tensor logits = at::matmul(q * at.scale, k.transpose(-1, -2));
  if (table.defined()) logits = logits + at::matmul(q * at.tableScale, table).gather(3, expanded(ids, at));
  const at::Tensor shares = logits.softmax(-1);
  return {at::matmul(shares, v).transpose(1, 2).reshape({at.batch, at.T, at.width()}), shares};
}

AttentionGrad composedGrad(const at::Tensor& dy, const at::Tensor& qkv, const at::Tensor& y, const at::Tensor& shares,
                           const at::Tensor& table, const at::Tensor& ids, const Layout& at) {
  const auto [q, k, v] = headsOf(qkv, at);
  const auto split = [&](const at::Tensor& x) { return x.view({at.batch, at.T, at.heads, at.d}).transpose(1, 2); };
  const at::Tensor dMixed = split(dy);
  const at::Tensor mean = (dMixed * split(y)).sum(-1, true);
  const at::Tensor dLogits = (at::matmul(dMixed, v.transpose(-1, -2)) - mean) * shares;
  at::Tensor dq = at::matmul(dLogits, k) * at.scale;
  const at::Tensor dk = at::matmul(dLogits.transpose(-1, -2), q) * at.scale;
  const at::Tensor dv = at::matmul(shares.transpose(-1, -2), dMixed);
  AttentionGrad grad;
  if (table.defined()) {
    const at::Tensor perBucket = at::zeros({at.batch, at.heads, at.T, at.buckets}, qkv.options())
                                     .scatter_add(3, expanded(ids, at), dLogits)
                                     .mul(at.tableScale);
    dq = dq + at::matmul(perBucket, table.t());
    grad.dTable = at::mm(q.reshape({-1, at.d}).t(), perBucket.view({-1, at.buckets}));
  }
  grad.dqkv = at::stack({dq, dk, dv}).permute({1, 3, 0, 2, 4}).reshape({at.batch, at.T, at.stride()});
  return grad;
}

}  // namespace

Attention attention(const at::Tensor& qkv, const at::Tensor& table, const at::Tensor& bucketIds, AttentionSetting setting) {
  const Layout at = layoutOf(qkv, table, setting);
  if (!onHost(qkv)) {
    if (table.defined()) checkWithin(bucketIds, at.buckets, "bucket");
    return composed(qkv, table, bucketIds, at);
  }
  if (table.defined()) checkIds(bucketIds, at.T, at.buckets);
  Attention out{at::empty({at.batch, at.T, at.width()}, qkv.options()),
                at::empty({at.batch, at.heads, at.T, at.T}, qkv.options())};
  const float* from = hostData<float>(qkv);
  const float* rows = table.defined() ? hostData<float>(table) : nullptr;
  const int32_t* ids = table.defined() ? hostData<int32_t>(bucketIds) : nullptr;
  float* y = hostData<float>(out.y);
  float* allShares = hostData<float>(out.shares);
  parallel(at.batch * at.heads, at.T * (at.T + at.d), [&](int64_t begin, int64_t end, int) {
    std::vector<float> perBucket(at.T * at.buckets);
    for (int64_t i = begin; i < end; i++) {
      const int64_t b = i / at.heads, h = i % at.heads;
      const float* q = from + at.query(b, h);
      const float* k = q + at.width();
      const float* v = k + at.width();
      float* shares = allShares + i * at.T * at.T;
      gemm(at.T, at.T, at.d, at.scale, {q, at.stride()}, {k, at.stride(), true}, 0, shares, at.T);
      if (rows != nullptr)
        gemm(at.T, at.buckets, at.d, at.tableScale, {q, at.stride()}, {rows, at.buckets}, 0, perBucket.data(), at.buckets);
      simd<ShareRows>(shares, rows == nullptr ? nullptr : static_cast<const float*>(perBucket.data()), ids, at.T, at.buckets);
      gemm(at.T, at.d, at.T, 1, {shares, at.T}, {v, at.stride()}, 0, y + at.output(b, h), at.width());
    }
  });
  return out;
}

AttentionGrad attentionGrad(const at::Tensor& dy, const at::Tensor& qkv, const at::Tensor& y, const at::Tensor& shares,
                            const at::Tensor& table, const at::Tensor& bucketIds, AttentionSetting setting) {
  const Layout at = layoutOf(qkv, table, setting);
  if (!onHost(qkv)) {
    if (table.defined()) checkWithin(bucketIds, at.buckets, "bucket");
    return composedGrad(dy, qkv, y, shares, table, bucketIds, at);
  }
  const bool relative = table.defined();
  if (relative) checkIds(bucketIds, at.T, at.buckets);
  AttentionGrad grad{at::empty_like(qkv), at::Tensor()};
  const at::Tensor tableSums = relative ? at::zeros({threadCount(), at.d, at.buckets}, qkv.options()) : at::Tensor();
  const float* from = hostData<float>(qkv);
  const float* change = hostData<float>(dy);
  const float* mixed = hostData<float>(y);
  const float* allShares = hostData<float>(shares);
  const float* rows = relative ? hostData<float>(table) : nullptr;
  const int32_t* ids = relative ? hostData<int32_t>(bucketIds) : nullptr;
  float* to = hostData<float>(grad.dqkv);
  float* sums = relative ? hostData<float>(tableSums) : nullptr;
  parallel(at.batch * at.heads, at.T * (at.T + at.d), [&](int64_t begin, int64_t end, int part) {
    std::vector<float> dLogitsMemory(at.T * at.T), dPerBucketMemory(at.T * at.buckets);
    float* dLogits = dLogitsMemory.data();
    float* dPerBucket = relative ? dPerBucketMemory.data() : nullptr;
    for (int64_t i = begin; i < end; i++) {
      const int64_t b = i / at.heads, h = i % at.heads;
      const Operand q{from + at.query(b, h), at.stride()};
      const Operand k{q.data + at.width(), at.stride()};
      const Operand vTransposed{k.data + at.width(), at.stride(), true};
      const float* given = allShares + i * at.T * at.T;
      const float* dMixed = change + at.output(b, h);
      float* dq = to + at.query(b, h);
      float* dk = dq + at.width();
      float* dv = dk + at.width();
      gemm(at.T, at.d, at.T, 1, {given, at.T, true}, {dMixed, at.width()}, 0, dv, at.stride());
      gemm(at.T, at.T, at.d, 1, {dMixed, at.width()}, vTransposed, 0, dLogits, at.T);
      simd<ShareGradRows>(dLogits, given, dMixed, mixed + at.output(b, h), dPerBucket, ids, &at);
      gemm(at.T, at.d, at.T, at.scale, {dLogits, at.T}, k, 0, dq, at.stride());
      gemm(at.T, at.d, at.T, at.scale, {dLogits, at.T, true}, q, 0, dk, at.stride());
      if (!relative) continue;
      gemm(at.T, at.d, at.buckets, at.tableScale, {dPerBucket, at.buckets}, {rows, at.buckets, true}, 1, dq, at.stride());
      gemm(at.d, at.buckets, at.T, at.tableScale, {q.data, q.stride, true}, {dPerBucket, at.buckets}, 1,
           sums + part * at.d * at.buckets, at.buckets);
    }
  });
  if (relative) grad.dTable = tableSums.sum(0);
  return grad;
}

}  // namespace patchstream
