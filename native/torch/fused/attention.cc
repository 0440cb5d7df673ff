#include <algorithm>
#include <cmath>
#include <limits>

#include "cuda/kernels.h"
#include "device/device.h"
#include "fused/attention.h"
#include "fused/bfloat16.h"
#include "fused/fused.h"
#include "fused/gemm.h"
#include "fused/simd.h"
#include "fused/tiles/operations.h"
#include "fused/tiles/tiles.h"
#include "threads.h"

namespace patchstream {

AttentionLayout attentionLayout(const at::Tensor& qkv, const at::Tensor& table, const at::Tensor& ids, AttentionSetting at) {
  const int64_t T = qkv.size(1), d = qkv.size(2) / (3 * at.heads);
  const int64_t ownIds = ids.defined() && ids.dim() == 3 ? T * T : 0;
  const float scale = 1 / std::sqrt(static_cast<float>(d));
  return {qkv.size(0), T, at.heads, d, table.defined() ? table.size(1) : 0, ownIds, scale, at.scaled ? scale : 1};
}

namespace {

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
  template <int W, class Share>
  static PATCHSTREAM_INLINE void run(float* change, const Share* shares, const float* dy, const float* y, float* dPerBucket,
                                     const int32_t* ids, const AttentionLayout* at) {
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
      for (; j < T; j++) change[j] = (change[j] - mean) * static_cast<float>(shares[j]);
      if (dPerBucket == nullptr) continue;
      float* sums = dPerBucket + i * at->buckets;
      const int32_t* row = ids + i * T;
      std::fill(sums, sums + at->buckets, 0.0f);
      for (j = 0; j < T; j++) sums[row[j]] += change[j];
    }
  }
};

void checkIds(const at::Tensor& ids, const AttentionLayout& at) {
  const int64_t count = at.ownIds == 0 ? at.T * at.T : at.batch * at.ownIds;
  TORCH_CHECK(ids.numel() == count, "bucketIds has ", ids.numel(), " numbers, expected ", count);
  const int32_t* values = hostData<int32_t>(ids);
  for (int64_t i = 0; i < count; i++)
    TORCH_CHECK(values[i] >= 0 && values[i] < at.buckets, "bucket ", values[i], " is not in 0 ... ", at.buckets - 1);
}

// What the composed forms share: q, k, v as [B, heads, T, d].
struct Heads {
  at::Tensor q, k, v;
};

Heads headsOf(const at::Tensor& qkv, const AttentionLayout& at) {
  const at::Tensor parts = qkv.view({at.batch, at.T, 3, at.heads, at.d}).permute({2, 0, 3, 1, 4});
  return {parts[0], parts[1], parts[2]};
}

at::Tensor expanded(const at::Tensor& ids, const AttentionLayout& at) {
  return ids.to(at::kLong).view({at.ownIds == 0 ? 1 : at.batch, 1, at.T, at.T}).expand({at.batch, at.heads, at.T, at.T});
}

// A product of factors in the type that is asked for, as float32.
struct Products {
  Precision precision;
  at::Tensor operator()(const at::Tensor& a, const at::Tensor& b) const {
    if (precision == Precision::kFloat32) return at::matmul(a, b);
    return at::matmul(factor(a, precision), factor(b, precision)).to(at::kFloat);
  }
};

Attention composed(const at::Tensor& qkv, const at::Tensor& table, const at::Tensor& ids, const AttentionLayout& at, Precision precision, bool narrow) {
  const auto [q, k, v] = headsOf(qkv, at);
  const Products product{precision};
  at::Tensor logits = product(q, k.transpose(-1, -2)) * at.scale;
  if (table.defined()) logits = logits + (product(q, table) * at.tableScale).gather(3, expanded(ids, at));
  const at::Tensor shares = factor(logits.softmax(-1), precision);
  const at::Tensor y = product(shares, v).transpose(1, 2).reshape({at.batch, at.T, at.width()});
  return {narrow ? y.to(at::kBFloat16) : y, shares};
}

AttentionGrad composedGrad(const at::Tensor& change, const at::Tensor& qkv, const at::Tensor& y, const at::Tensor& shares,
                           const at::Tensor& table, const at::Tensor& ids, const AttentionLayout& at, Precision precision) {
  const auto [q, k, v] = headsOf(qkv, at);
  const Products product{precision};
  const auto split = [&](const at::Tensor& x) { return x.view({at.batch, at.T, at.heads, at.d}).transpose(1, 2); };
  const at::Tensor dMixed = split(change.to(at::kFloat));
  const at::Tensor mean = (dMixed * split(y)).sum(-1, true);
  const at::Tensor dLogits = (product(dMixed, v.transpose(-1, -2)) - mean) * shares;
  at::Tensor dq = product(dLogits, k) * at.scale;
  const at::Tensor dk = product(dLogits.transpose(-1, -2), q) * at.scale;
  const at::Tensor dv = product(shares.transpose(-1, -2), dMixed);
  AttentionGrad grad;
  if (table.defined()) {
    const at::Tensor perBucket =
        at::zeros({at.batch, at.heads, at.T, at.buckets}, qkv.options().dtype(at::kFloat)).scatter_add(3, expanded(ids, at), dLogits);
    dq = dq + product(perBucket, table.t()) * at.tableScale;
    grad.dTable = product(q.reshape({-1, at.d}).t(), perBucket.view({-1, at.buckets})) * at.tableScale;
  }
  grad.dqkv = at::stack({dq, dk, dv}).permute({1, 3, 0, 2, 4}).reshape({at.batch, at.T, at.stride()});
  return grad;
}

// The rows of one head's part as factors of products: as they stand, or without gaps in `scratch`.
const float* factorOf(const float* from, int64_t, int64_t, int64_t, std::vector<float>&) { return from; }
const BFloat16* factorOf(const float* from, int64_t stride, int64_t rows, int64_t width, std::vector<BFloat16>& scratch) {
  scratch.resize(rows * width);
  simd<NarrowRows>(from, stride, scratch.data(), rows, width);
  return scratch.data();
}

// Scratch memory of a thread for one head.
template <class T>
struct Scratch {
  std::vector<T> q, k, v, change, logits, perBucket;
};

template <class T>
Attention onThreads(const at::Tensor& qkv, const at::Tensor& table, const at::Tensor& bucketIds, const AttentionLayout& at) {
  const auto kept = qkv.options().dtype(c10::CppTypeToScalarType<T>::value);
  Attention out{at::empty({at.batch, at.T, at.width()}, qkv.options()), at::empty({at.batch, at.heads, at.T, at.T}, kept)};
  const at::Tensor vectors = narrow<T> && table.defined() ? narrowed(table) : table;
  const float* from = hostData<float>(qkv);
  const T* rows = table.defined() ? hostData<T>(vectors) : nullptr;
  const int32_t* ids = table.defined() ? hostData<int32_t>(bucketIds) : nullptr;
  float* y = hostData<float>(out.y);
  T* allShares = hostData<T>(out.shares);
  const int64_t stride = narrow<T> ? at.d : at.stride();
  parallel(at.batch * at.heads, at.T * (at.T + at.d), [&](int64_t begin, int64_t end, int) {
    std::vector<float> perBucket(at.T * at.buckets), wide(narrow<T> ? at.T * at.T : 0);
    Scratch<T> scratch;
    for (int64_t i = begin; i < end; i++) {
      const int64_t b = i / at.heads, h = i % at.heads;
      const float* part = from + at.query(b, h);
      const T* q = factorOf(part, at.stride(), at.T, at.d, scratch.q);
      const T* k = factorOf(part + at.width(), at.stride(), at.T, at.d, scratch.k);
      const T* v = factorOf(part + 2 * at.width(), at.stride(), at.T, at.d, scratch.v);
      T* shares = allShares + i * at.T * at.T;
      float* logits = wide.data();
      if constexpr (!narrow<T>) logits = shares;
      gemm(at.T, at.T, at.d, at.scale, OperandOf<T>{q, stride}, OperandOf<T>{k, stride, true}, 0, logits, at.T);
      if (rows != nullptr)
        gemm(at.T, at.buckets, at.d, at.tableScale, OperandOf<T>{q, stride}, OperandOf<T>{rows, at.buckets}, 0,
             perBucket.data(), at.buckets);
      simd<ShareRows>(logits, rows == nullptr ? nullptr : static_cast<const float*>(perBucket.data()), ids + b * at.ownIds, at.T,
                      at.buckets);
      if constexpr (narrow<T>) simd<NarrowRows>(static_cast<const float*>(logits), at.T, shares, at.T, at.T);
      gemm(at.T, at.d, at.T, 1, OperandOf<T>{shares, at.T}, OperandOf<T>{v, stride}, 0, y + at.output(b, h), at.width());
    }
  });
  return out;
}

template <class T>
AttentionGrad gradOnThreads(const at::Tensor& dy, const at::Tensor& qkv, const at::Tensor& y, const at::Tensor& shares,
                            const at::Tensor& table, const at::Tensor& bucketIds, const AttentionLayout& at) {
  const bool relative = table.defined();
  AttentionGrad grad{at::empty_like(qkv), at::Tensor()};
  const at::Tensor tableSums = relative ? at::zeros({threadCount(), at.d, at.buckets}, qkv.options()) : at::Tensor();
  const at::Tensor vectors = narrow<T> && relative ? narrowed(table) : table;
  const float* from = hostData<float>(qkv);
  const float* change = hostData<float>(dy);
  const float* mixed = hostData<float>(y);
  const T* allShares = hostData<T>(shares);
  const T* rows = relative ? hostData<T>(vectors) : nullptr;
  const int32_t* ids = relative ? hostData<int32_t>(bucketIds) : nullptr;
  float* to = hostData<float>(grad.dqkv);
  float* sums = relative ? hostData<float>(tableSums) : nullptr;
  const int64_t stride = narrow<T> ? at.d : at.stride();
  const int64_t mixedStride = narrow<T> ? at.d : at.width();
  parallel(at.batch * at.heads, at.T * (at.T + at.d), [&](int64_t begin, int64_t end, int part) {
    std::vector<float> dLogitsMemory(at.T * at.T), dPerBucketMemory(at.T * at.buckets);
    float* wide = dLogitsMemory.data();
    float* widePerBucket = relative ? dPerBucketMemory.data() : nullptr;
    Scratch<T> scratch;
    for (int64_t i = begin; i < end; i++) {
      const int64_t b = i / at.heads, h = i % at.heads;
      const float* head = from + at.query(b, h);
      const OperandOf<T> q{factorOf(head, at.stride(), at.T, at.d, scratch.q), stride};
      const OperandOf<T> k{factorOf(head + at.width(), at.stride(), at.T, at.d, scratch.k), stride};
      const OperandOf<T> vTransposed{factorOf(head + 2 * at.width(), at.stride(), at.T, at.d, scratch.v), stride, true};
      const T* given = allShares + i * at.T * at.T;
      const float* dy = change + at.output(b, h);
      const OperandOf<T> dMixed{factorOf(dy, at.width(), at.T, at.d, scratch.change), mixedStride};
      float* dq = to + at.query(b, h);
      float* dk = dq + at.width();
      float* dv = dk + at.width();
      gemm(at.T, at.d, at.T, 1, OperandOf<T>{given, at.T, true}, dMixed, 0, dv, at.stride());
      gemm(at.T, at.T, at.d, 1, dMixed, vTransposed, 0, wide, at.T);
      simd<ShareGradRows>(wide, given, dy, mixed + at.output(b, h), widePerBucket, ids + b * at.ownIds, &at);
      const T* dLogits = factorOf(wide, at.T, at.T, at.T, scratch.logits);
      gemm(at.T, at.d, at.T, at.scale, OperandOf<T>{dLogits, at.T}, k, 0, dq, at.stride());
      gemm(at.T, at.d, at.T, at.scale, OperandOf<T>{dLogits, at.T, true}, q, 0, dk, at.stride());
      if (!relative) continue;
      const T* dPerBucket = factorOf(widePerBucket, at.buckets, at.T, at.buckets, scratch.perBucket);
      gemm(at.T, at.d, at.buckets, at.tableScale, OperandOf<T>{dPerBucket, at.buckets}, OperandOf<T>{rows, at.buckets, true}, 1,
           dq, at.stride());
      gemm(at.d, at.buckets, at.T, at.tableScale, OperandOf<T>{q.data, q.stride, true}, OperandOf<T>{dPerBucket, at.buckets}, 1,
           sums + part * at.d * at.buckets, at.buckets);
    }
  });
  if (relative) grad.dTable = tableSums.sum(0);
  return grad;
}

}  // namespace

Attention attention(const at::Tensor& qkv, const at::Tensor& table, const at::Tensor& bucketIds, AttentionSetting setting, bool narrow) {
  const AttentionLayout at = attentionLayout(qkv, table, bucketIds, setting);
  if (!onHost(qkv)) {
    if (table.defined()) checkWithin(bucketIds, at.buckets, "bucket");
    // The kernels have one set of ids for all sequences.
    if (at.ownIds == 0)
      if (const auto made = attentionByKernels(qkv, table, bucketIds, setting, narrow)) return *made;
    return composed(qkv, table, bucketIds, at, setting.precision, narrow);
  }
  if (table.defined()) checkIds(bucketIds, at);
  if (setting.precision == Precision::kBfloat16 && hostHasTiles()) return attentionByTiles(qkv, table, bucketIds, at, narrow);
  return setting.precision == Precision::kBfloat16 ? onThreads<BFloat16>(qkv, table, bucketIds, at)
                                                   : onThreads<float>(qkv, table, bucketIds, at);
}

AttentionGrad attentionGrad(const at::Tensor& dy, const at::Tensor& qkv, const at::Tensor& y, const at::Tensor& shares,
                            const at::Tensor& table, const at::Tensor& bucketIds, AttentionSetting setting, bool narrow) {
  const AttentionLayout at = attentionLayout(qkv, table, bucketIds, setting);
  if (!onHost(qkv)) {
    if (table.defined()) checkWithin(bucketIds, at.buckets, "bucket");
    if (shares.dim() == 3) return attentionGradByKernels(dy, qkv, y, shares, table, bucketIds, setting, narrow);
    return composedGrad(dy, qkv, y, shares, table, bucketIds, at, setting.precision);
  }
  if (table.defined()) checkIds(bucketIds, at);
  if (setting.precision == Precision::kBfloat16 && hostHasTiles()) return attentionGradByTiles(dy, qkv, shares, table, bucketIds, at, narrow);
  return setting.precision == Precision::kBfloat16 ? gradOnThreads<BFloat16>(dy, qkv, y, shares, table, bucketIds, at)
                                                   : gradOnThreads<float>(dy, qkv, y, shares, table, bucketIds, at);
}

}  // namespace patchstream
