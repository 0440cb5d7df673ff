#include <algorithm>
#include <cstring>
#include <limits>
#include <optional>

#include "device/device.h"
#include "fused/bfloat16.h"
#include "fused/tiles/operations.h"
#include "fused/tiles/tiles.h"
#include "fused/tiles/vectors.h"
#include "threads.h"

#ifdef PATCHSTREAM_TILES

namespace patchstream {

namespace {

// Sizes in whole blocks. A thread computes one head after the other in scratch memory of these sizes, with zeros beyond the edges.
struct Padded {
  int64_t T, d, buckets;        // numbers
  int64_t Ts, ds, bucketBlocks; // blocks
  explicit Padded(const AttentionLayout& at)
      : Ts(tileBlocks(at.T)), ds(tileBlocks(at.d)), bucketBlocks(tileBlocks(at.buckets)) {
    T = Ts * tileBlock;
    d = ds * tileBlock;
    buckets = bucketBlocks * tileBlock;
  }
};

// Logits of a block of rows to shares in bfloat16: `logits` and `shares` in rows of padded.T numbers, of which those beyond T get no share. Row i has perBucket[i, ids[i, j]] added.
PATCHSTREAM_ON_TILES void shareBlock(float* logits, const float* perBucket, const int32_t* ids, BFloat16* shares, int64_t rows, const AttentionLayout& at,
                                     const Padded& padded) {
  const __m512 scale = _mm512_set1_ps(at.scale), tableScale = _mm512_set1_ps(at.tableScale);
  const __m512 none = _mm512_set1_ps(-std::numeric_limits<float>::infinity());
  for (int64_t i = 0; i < rows; i++, logits += padded.T, shares += padded.T) {
    __m512 highest = none;
    for (int64_t j = 0; j < padded.T; j += lanes) {
      const __mmask16 mask = firstOf16(at.T - j);
      __m512 x = _mm512_mul_ps(get(logits + j), scale);
      if (perBucket != nullptr) {
        const __m512i buckets = _mm512_maskz_loadu_epi32(mask, ids + j);
        x = _mm512_fmadd_ps(_mm512_mask_i32gather_ps(none, mask, buckets, perBucket, sizeof(float)), tableScale, x);
      }
      x = _mm512_mask_mov_ps(none, mask, x);
      put(logits + j, x);
      highest = _mm512_max_ps(x, highest);
    }
    const __m512 top = _mm512_set1_ps(_mm512_reduce_max_ps(highest));
    __m512 total = _mm512_setzero_ps();
    for (int64_t j = 0; j < padded.T; j += lanes) {
      const __m512 share = expOfNegative(_mm512_sub_ps(get(logits + j), top));
      total = _mm512_add_ps(total, share);
      put(logits + j, share);
    }
    const __m512 factor = _mm512_set1_ps(1 / _mm512_reduce_add_ps(total));
    for (int64_t j = 0; j < padded.T; j += lanes) put(shares + j, _mm512_mul_ps(get(logits + j), factor));
    if (perBucket == nullptr) continue;
    perBucket += padded.buckets;
    ids += at.T;
  }
}

// dShares of a block of rows to dLogits: (dShares − Σ dShares·shares)·shares, all in rows of padded.T numbers. perBucket gets the sums by bucket times tableScale / scale.
PATCHSTREAM_ON_TILES void shareGradBlock(float* change, const BFloat16* shares, BFloat16* dLogits, float* sums, BFloat16* perBucket, const int32_t* ids,
                                         int64_t rows, const AttentionLayout& at, const Padded& padded) {
  const __m512 bucketScale = _mm512_set1_ps(at.tableScale / at.scale);
  for (int64_t i = 0; i < rows; i++, change += padded.T, shares += padded.T, dLogits += padded.T) {
    __m512 products = _mm512_setzero_ps();
    for (int64_t j = 0; j < padded.T; j += lanes) products = _mm512_fmadd_ps(get(change + j), get(shares + j), products);
    const __m512 mean = _mm512_set1_ps(_mm512_reduce_add_ps(products));
    for (int64_t j = 0; j < padded.T; j += lanes) {
      const __m512 x = _mm512_mul_ps(_mm512_sub_ps(get(change + j), mean), get(shares + j));
      put(change + j, x);
      put(dLogits + j, x);
    }
    if (perBucket == nullptr) continue;
    std::fill(sums, sums + padded.buckets, 0.0f);
    for (int64_t j = 0; j < at.T; j++) sums[ids[j]] += change[j];
    for (int64_t j = 0; j < padded.buckets; j += lanes) put(perBucket + j, _mm512_mul_ps(get(sums + j), bucketScale));
    perBucket += padded.buckets;
    ids += at.T;
  }
}

// A block of sums, times `scale`, to its place among the rows of a result of float32 or bfloat16; `rounded`: to numbers of bfloat16 in either.
template <bool rounded, class T>
PATCHSTREAM_ON_TILES void placeBlock(const float* sums, float scale, T* to, int64_t stride, int64_t rows, int64_t width) {
  const __m512 factor = _mm512_set1_ps(scale);
  for (int64_t row = 0; row < rows; row++, sums += tileBlock, to += stride)
    for (int64_t i = 0; i < width; i += lanes) {
      const __m512 x = _mm512_mul_ps(get(sums + i), factor);
      if (rounded) putRounded(to + i, x, firstOf16(width - i));
      else put(to + i, x, firstOf16(width - i));
    }
}

// The blocks of a gradient [T, d] of one head, whose sums `multiply(row, column, sums)` makes.
template <class T, class Multiply>
void placeBlocks(const AttentionLayout& at, float* sums, float scale, T* to, Multiply multiply) {
  for (int64_t row = 0; row < at.T; row += tileBlock)
    for (int64_t column = 0; column < at.d; column += tileBlock) {
      multiply(row / tileBlock, column / tileBlock, sums);
      placeBlock<true>(sums, scale, to + row * at.stride() + column, at.stride(), std::min(tileBlock, at.T - row), std::min(tileBlock, at.d - column));
    }
}

template <class In, class Out>
Attention onTiles(const at::Tensor& qkv, const at::Tensor& table, const at::Tensor& bucketIds, const AttentionLayout& at) {
  const auto wide = qkv.options().dtype(at::kFloat), own = qkv.options().dtype(at::kBFloat16);
  Attention result{at::empty({at.batch, at.T, at.width()}, narrow<Out> ? own : wide), at::empty({at.batch, at.heads, at.T, at.T}, own)};
  std::optional<RightTiles> vectors;
  if (table.defined()) vectors.emplace(table, false);
  const int32_t* allIds = table.defined() ? hostData<int32_t>(bucketIds) : nullptr;
  const In* from = hostData<In>(qkv);
  Out* y = hostData<Out>(result.y);
  BFloat16* allShares = hostData<BFloat16>(result.shares);
  const Padded padded(at);
  parallel(at.batch * at.heads, at.T * (at.T + at.d), [&](int64_t begin, int64_t end, int) {
    AlignedScratch memory[7];
    const int64_t factor = cutNumbers(at.T, at.d);
    auto* q = memory[0].of<BFloat16>(factor);
    auto* k = memory[1].of<BFloat16>(factor);
    auto* v = memory[2].of<BFloat16>(cutNumbers(at.d, at.T));
    auto* logits = memory[3].of<float>(tileBlock * padded.T);
    auto* perBucket = vectors ? memory[4].of<float>(tileBlock * padded.buckets) : nullptr;
    auto* shares = memory[5].of<BFloat16>(tileBlock * padded.T);
    auto* sums = memory[6].of<float>(tileBlock * tileBlock);
    const TilesInUse tiles;
    for (int64_t i = begin; i < end; i++) {
      const int64_t b = i / at.heads, h = i % at.heads;
      const In* part = from + at.query(b, h);
      cutLeft(OperandOf<In>{part, at.stride()}, at.T, at.d, q);
      cutRight(OperandOf<In>{part + at.width(), at.stride(), true}, at.d, at.T, k);
      cutRight(OperandOf<In>{part + 2 * at.width(), at.stride()}, at.T, at.d, v);
      for (int64_t block = 0; block < padded.Ts; block++) {
        const int64_t row = block * tileBlock, rows = std::min(tileBlock, at.T - row);
        const LeftTiles queries = LeftTiles::cut(q + block * padded.ds * pairNumbers);
        for (int64_t column = 0; column < padded.Ts; column++)
          multiplyTiles(queries, k + column * padded.ds * pairNumbers, padded.ds, logits + column * tileBlock, padded.T, false);
        for (int64_t column = 0; column < padded.bucketBlocks; column++)
          multiplyTiles(queries, vectors->block(column), padded.ds, perBucket + column * tileBlock, padded.buckets, false);
        const int32_t* ids = vectors ? allIds + b * at.ownIds + row * at.T : nullptr;
        shareBlock(logits, perBucket, ids, shares, rows, at, padded);
        for (int64_t j = 0; j < rows; j++)
          std::memcpy(allShares + (i * at.T + row + j) * at.T, shares + j * padded.T, at.T * sizeof(BFloat16));
        for (int64_t column = 0; column < padded.ds; column++) {
          multiplyTiles(LeftTiles::rows(shares, padded.T), v + column * padded.Ts * pairNumbers, padded.Ts, sums, tileBlock, false);
          placeBlock<false>(sums, 1, y + at.output(b, h) + row * at.width() + column * tileBlock, at.width(), rows,
                            std::min(tileBlock, at.d - column * tileBlock));
        }
      }
    }
  });
  return result;
}

template <class In, class Change, class Out>
AttentionGrad gradOnTiles(const at::Tensor& dy, const at::Tensor& qkv, const at::Tensor& shares, const at::Tensor& table, const at::Tensor& bucketIds,
                          const AttentionLayout& at) {
  const auto wide = qkv.options().dtype(at::kFloat), own = qkv.options().dtype(at::kBFloat16);
  const Padded padded(at);
  AttentionGrad grad{at::empty(qkv.sizes(), narrow<Out> ? own : wide), at::Tensor()};
  std::optional<RightTiles> vectors;
  if (table.defined()) vectors.emplace(table, true);
  const at::Tensor tableSums = vectors ? at::zeros({threadCount(), padded.d, padded.buckets}, wide) : at::Tensor();
  const int32_t* allIds = vectors ? hostData<int32_t>(bucketIds) : nullptr;
  float* allTableSums = vectors ? hostData<float>(tableSums) : nullptr;
  const In* from = hostData<In>(qkv);
  const Change* change = hostData<Change>(dy);
  const BFloat16* allShares = hostData<BFloat16>(shares);
  Out* to = hostData<Out>(grad.dqkv);
  parallel(at.batch * at.heads, at.T * (at.T + at.d), [&](int64_t begin, int64_t end, int part) {
    AlignedScratch memory[13];
    auto* q = memory[0].of<BFloat16>(cutNumbers(at.d, at.T));
    auto* k = memory[1].of<BFloat16>(cutNumbers(at.d, at.T));
    auto* v = memory[2].of<BFloat16>(cutNumbers(at.T, at.d));
    auto* dMixed = memory[3].of<BFloat16>(cutNumbers(at.T, at.d));
    auto* dMixedRight = memory[4].of<BFloat16>(cutNumbers(at.d, at.T));
    auto* given = memory[5].of<BFloat16>(padded.T * padded.T);
    auto* turned = memory[6].of<BFloat16>(cutNumbers(at.T, at.T));
    auto* dShares = memory[7].of<float>(tileBlock * padded.T);
    auto* dLogits = memory[8].of<BFloat16>(padded.T * padded.T);
    auto* sums = memory[9].of<float>(tileBlock * tileBlock);
    auto* bucketSums = memory[10].of<float>(padded.buckets);
    auto* dPerBucket = vectors ? memory[11].of<BFloat16>(padded.T * padded.buckets) : nullptr;
    auto* forTable = memory[12].of<BFloat16>(vectors ? cutNumbers(at.d, at.T) + cutNumbers(at.buckets, at.T) : 0);
    float* tableSum = vectors ? allTableSums + part * padded.d * padded.buckets : nullptr;
    const TilesInUse tiles;
    for (int64_t i = begin; i < end; i++) {
      const int64_t b = i / at.heads, h = i % at.heads;
      const In* head = from + at.query(b, h);
      const OperandOf<In> queries{head, at.stride()}, keys{head + at.width(), at.stride()};
      const OperandOf<Change> changes{change + at.output(b, h), at.width()};
      cutRight(queries, at.T, at.d, q);
      cutRight(keys, at.T, at.d, k);
      cutRight(OperandOf<In>{head + 2 * at.width(), at.stride(), true}, at.d, at.T, v);
      cutLeft(changes, at.T, at.d, dMixed);
      cutRight(changes, at.T, at.d, dMixedRight);
      for (int64_t row = 0; row < at.T; row++)
        std::memcpy(given + row * padded.T, allShares + (i * at.T + row) * at.T, at.T * sizeof(BFloat16));
      Out* dq = to + at.query(b, h);
      Out* dk = dq + at.width();
      Out* dv = dk + at.width();
      const auto cutBlock = [&](int64_t row) { return LeftTiles::cut(turned + row * padded.Ts * pairNumbers); };
      const auto place = [&](float scale, Out* into, auto multiply) { placeBlocks(at, sums, scale, into, multiply); };

      cutLeft(OperandOf<BFloat16>{given, padded.T, true}, at.T, at.T, turned);
      place(1, dv, [&](int64_t row, int64_t column, float* block) {
        multiplyTiles(cutBlock(row), dMixedRight + column * padded.Ts * pairNumbers, padded.Ts, block, tileBlock, false);
      });
      for (int64_t row = 0; row < padded.Ts; row++) {
        for (int64_t column = 0; column < padded.Ts; column++)
          multiplyTiles(LeftTiles::cut(dMixed + row * padded.ds * pairNumbers), v + column * padded.ds * pairNumbers, padded.ds, dShares + column * tileBlock,
                        padded.T, false);
        const int64_t first = row * tileBlock;
        shareGradBlock(dShares, given + first * padded.T, dLogits + first * padded.T, bucketSums, vectors ? dPerBucket + first * padded.buckets : nullptr,
                       vectors ? allIds + b * at.ownIds + first * at.T : nullptr, std::min(tileBlock, at.T - first), at, padded);
      }
      place(at.scale, dq, [&](int64_t row, int64_t column, float* block) {
        multiplyTiles(LeftTiles::rows(dLogits + row * tileBlock * padded.T, padded.T), k + column * padded.Ts * pairNumbers, padded.Ts, block, tileBlock, false);
        if (vectors)
          multiplyTiles(LeftTiles::rows(dPerBucket + row * tileBlock * padded.buckets, padded.buckets), vectors->block(column), vectors->depth(), block,
                        tileBlock, true);
      });
      cutLeft(OperandOf<BFloat16>{dLogits, padded.T, true}, at.T, at.T, turned);
      place(at.scale, dk, [&](int64_t row, int64_t column, float* block) {
        multiplyTiles(cutBlock(row), q + column * padded.Ts * pairNumbers, padded.Ts, block, tileBlock, false);
      });
      if (!vectors) continue;
      BFloat16* right = forTable + cutNumbers(at.d, at.T);
      cutLeft(OperandOf<In>{queries.data, queries.stride, true}, at.d, at.T, forTable);
      cutRight(OperandOf<BFloat16>{dPerBucket, padded.buckets}, at.T, at.buckets, right);
      for (int64_t row = 0; row < padded.ds; row++)
        for (int64_t column = 0; column < padded.bucketBlocks; column++)
          multiplyTiles(LeftTiles::cut(forTable + row * padded.Ts * pairNumbers), right + column * padded.Ts * pairNumbers, padded.Ts,
                        tableSum + row * tileBlock * padded.buckets + column * tileBlock, padded.buckets, true);
    }
  });
  if (vectors) grad.dTable = tableSums.sum(0).mul_(at.scale).narrow(0, 0, at.d).narrow(1, 0, at.buckets).contiguous();
  return grad;
}

template <class In, class Change>
AttentionGrad gradOnTiles(const at::Tensor& dy, const at::Tensor& qkv, const at::Tensor& shares, const at::Tensor& table, const at::Tensor& ids,
                          const AttentionLayout& at, bool narrow) {
  return narrow ? gradOnTiles<In, Change, BFloat16>(dy, qkv, shares, table, ids, at) : gradOnTiles<In, Change, float>(dy, qkv, shares, table, ids, at);
}

bool isNarrow(const at::Tensor& x) { return x.scalar_type() == at::kBFloat16; }

}  // namespace

Attention attentionByTiles(const at::Tensor& qkv, const at::Tensor& table, const at::Tensor& ids, const AttentionLayout& at, bool narrow) {
  if (isNarrow(qkv)) return narrow ? onTiles<BFloat16, BFloat16>(qkv, table, ids, at) : onTiles<BFloat16, float>(qkv, table, ids, at);
  return narrow ? onTiles<float, BFloat16>(qkv, table, ids, at) : onTiles<float, float>(qkv, table, ids, at);
}

AttentionGrad attentionGradByTiles(const at::Tensor& dy, const at::Tensor& qkv, const at::Tensor& shares, const at::Tensor& table, const at::Tensor& ids,
                                   const AttentionLayout& at, bool narrow) {
  if (isNarrow(qkv))
    return isNarrow(dy) ? gradOnTiles<BFloat16, BFloat16>(dy, qkv, shares, table, ids, at, narrow)
                        : gradOnTiles<BFloat16, float>(dy, qkv, shares, table, ids, at, narrow);
  return isNarrow(dy) ? gradOnTiles<float, BFloat16>(dy, qkv, shares, table, ids, at, narrow)
                      : gradOnTiles<float, float>(dy, qkv, shares, table, ids, at, narrow);
}

}  // namespace patchstream

#endif
