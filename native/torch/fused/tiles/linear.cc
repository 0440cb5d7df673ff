#include <algorithm>

#include "device/device.h"
#include "fused/bfloat16.h"
#include "fused/tiles/operations.h"
#include "fused/tiles/tiles.h"
#include "fused/tiles/vectors.h"
#include "threads.h"

#ifdef PATCHSTREAM_TILES

namespace patchstream {

namespace {

// Blocks of rows that a thread takes at a time: each block of columns of the weight is read once for all of them.
constexpr int64_t groupBlocks = 8;
constexpr int64_t groupRows = groupBlocks * tileBlock;

// What follows reads sums from rows of `tileBlock` floats and writes one block of columns of a result, in rows of `stride` numbers.
template <class T>
PATCHSTREAM_ON_TILES void biasBlock(const float* sums, const float* bias, T* y, int64_t stride, int64_t rows, int64_t width) {
  for (int64_t i = 0; i < width; i += lanes) {
    const __mmask16 mask = firstOf16(width - i);
    const __m512 shift = bias == nullptr ? _mm512_setzero_ps() : get(bias + i, mask);
    for (int64_t row = 0; row < rows; row++) put(y + row * stride + i, _mm512_add_ps(get(sums + row * tileBlock + i), shift), mask);
  }
}

template <class T>
PATCHSTREAM_ON_TILES void biasGeluBlock(const float* sums, const float* bias, T* y, BFloat16* slope, int64_t stride, int64_t rows, int64_t width) {
  for (int64_t i = 0; i < width; i += lanes) {
    const __mmask16 mask = firstOf16(width - i);
    const __m512 shift = bias == nullptr ? _mm512_setzero_ps() : get(bias + i, mask);
    for (int64_t row = 0; row < rows; row++) {
      __m512 value, rise;
      geluAndSlope(_mm512_add_ps(get(sums + row * tileBlock + i), shift), value, rise);
      put(y + row * stride + i, value, mask);
      put(slope + row * stride + i, rise, mask);
    }
  }
}

template <class T>
PATCHSTREAM_ON_TILES void roundBlock(const float* sums, T* y, int64_t stride, int64_t rows, int64_t width) {
  for (int64_t row = 0; row < rows; row++)
    for (int64_t i = 0; i < width; i += lanes) putRounded(y + row * stride + i, get(sums + row * tileBlock + i), firstOf16(width - i));
}

PATCHSTREAM_ON_TILES void narrowRows(const float* from, BFloat16* to, int64_t count) {
  for (int64_t i = 0; i < count; i += lanes) {
    const __mmask16 mask = firstOf16(count - i);
    put(to + i, get(from + i, mask), mask);
  }
}

// dPre = dy·slope, or dy without a slope, in bfloat16, in rows of `stride` numbers; sums[i] += Σ over rows of dPre before it is rounded.
// Row by row, as dy lies in memory that is far.
template <bool sloped, class T>
PATCHSTREAM_ON_TILES void slopeRows(const T* dy, const BFloat16* slope, BFloat16* dPre, int64_t stride, float* sums, int64_t rows, int64_t width) {
  for (int64_t row = 0; row < rows; row++, dy += width, dPre += stride) {
    for (int64_t i = 0; i < width; i += lanes) {
      const __mmask16 mask = firstOf16(width - i);
      __m512 d = get(dy + i, mask);
      if (sloped) d = _mm512_mul_ps(d, get(slope + row * width + i, mask));
      put(dPre + i, d, mask);
      if (sums != nullptr) put(sums + i, _mm512_add_ps(get(sums + i, mask), d), mask);
    }
  }
}

// Rows of a left factor, `inner` numbers each, of which whole blocks lie as tiles need them; others are cut into `memory`.
std::vector<LeftTiles> leftBlocks(const BFloat16* rows, int64_t count, int64_t inner, AlignedScratch& memory) {
  const int64_t depth = tileBlocks(inner), blocks = tileBlocks(count);
  std::vector<LeftTiles> left;
  for (int64_t block = 0; block < blocks; block++) {
    const BFloat16* from = rows + block * tileBlock * inner;
    const int64_t there = count - block * tileBlock;
    if (inner % tileBlock == 0 && there >= tileBlock) {
      left.push_back(LeftTiles::rows(from, inner));
      continue;
    }
    BFloat16* to = memory.of<BFloat16>(blocks * depth * pairNumbers) + block * depth * pairNumbers;
    for (int64_t i = 0; i < depth; i++) cutLeftPair(from + i * tileBlock, inner, false, there, inner - i * tileBlock, to + i * pairNumbers);
    left.push_back(LeftTiles::cut(to));
  }
  return left;
}

template <class T>
T* dataOf(const at::Tensor& x) {
  return x.defined() ? hostData<T>(x) : nullptr;
}

template <class T>
Linear onTiles(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias, bool withGelu) {
  const int64_t rows = x.size(0), in = weight.size(0), out = weight.size(1);
  const auto wide = weight.options();
  const auto own = wide.dtype(at::kBFloat16);
  const bool given = x.scalar_type() == at::kBFloat16;
  const Linear result{at::empty({rows, out}, narrow<T> ? own : wide), withGelu ? at::empty({rows, out}, own) : at::Tensor(),
                      given ? x : at::empty({rows, in}, own)};
  const RightTiles right(weight, false);
  const float* from = given ? nullptr : hostData<float>(x);
  BFloat16* kept = hostData<BFloat16>(result.x);
  const float* shifts = dataOf<float>(bias);
  T* y = hostData<T>(result.y);
  BFloat16* slope = dataOf<BFloat16>(result.saved);
  parallel(tileBlocks(rows), tileBlock * in * out / 16, [&](int64_t begin, int64_t end, int) {
    const TilesInUse tiles;
    AlignedScratch cut, memory;
    float* sums = memory.of<float>(groupRows * tileBlock);
    const int64_t last = std::min(end * tileBlock, rows);
    for (int64_t row = begin * tileBlock; row < last; row += groupRows) {
      const int64_t count = std::min(groupRows, last - row);
      if (from != nullptr) narrowRows(from + row * in, kept + row * in, count * in);
      const auto left = leftBlocks(kept + row * in, count, in, cut);
      for (int64_t block = 0; block < right.blocks(); block++) {
        for (size_t i = 0; i < left.size(); i++)
          multiplyTiles(left[i], right.block(block), right.depth(), sums + i * tileBlock * tileBlock, tileBlock, false);
        const int64_t column = block * tileBlock, width = std::min(tileBlock, out - column);
        const float* shift = shifts == nullptr ? nullptr : shifts + column;
        T* to = y + row * out + column;
        if (withGelu) biasGeluBlock(sums, shift, to, slope + row * out + column, out, count, width);
        else biasBlock(sums, shift, to, out, count, width);
      }
    }
  });
  return result;
}

// dWeight [in, out] = xᵀ·dPre from their tiles, `depth` of them. The rows are taken in parts, so that the part of xᵀ stays in the core's cache.
void multiplyOverRows(const BFloat16* left, const BFloat16* right, int64_t depth, float* dWeight, int64_t in, int64_t out) {
  const int64_t lefts = tileBlocks(in), rights = tileBlocks(out);
  const int64_t part = std::clamp<int64_t>(16 * 1024 / std::max<int64_t>(in, 1), 4, 16);
  parallel(lefts * rights, tileBlock * depth * tileBlock * tileBlock / 16, [&](int64_t begin, int64_t end, int) {
    const TilesInUse tiles;
    AlignedScratch memory;
    float* edge = memory.of<float>(tileBlock * tileBlock);
    for (int64_t first = 0; first < depth; first += part) {
      const int64_t count = std::min(part, depth - first);
      for (int64_t i = begin; i < end; i++) {
        const int64_t row = i % lefts, column = i / lefts;
        float* to = dWeight + row * tileBlock * out + column * tileBlock;
        const int64_t height = std::min(tileBlock, in - row * tileBlock), width = std::min(tileBlock, out - column * tileBlock);
        const LeftTiles from = LeftTiles::cut(left + (row * depth + first) * pairNumbers);
        const BFloat16* with = right + (column * depth + first) * pairNumbers;
        if (height == tileBlock && width == tileBlock) {
          multiplyTiles(from, with, count, to, out, first > 0);
          continue;
        }
        multiplyTiles(from, with, count, edge, tileBlock, false);
        for (int64_t y = 0; y < height; y++)
          for (int64_t x = 0; x < width; x++) to[y * out + x] = edge[y * tileBlock + x] + (first > 0 ? to[y * out + x] : 0);
      }
    }
  });
}

template <class Change, class T>
LinearGrad gradOnTiles(const at::Tensor& dy, const at::Tensor& x, const at::Tensor& weight, const at::Tensor& saved, bool withBias) {
  const int64_t rows = x.size(0), in = weight.size(0), out = weight.size(1);
  const int64_t ins = tileBlocks(in), outs = tileBlocks(out), depth = tileBlocks(rows);
  const auto wide = weight.options();
  const auto own = wide.dtype(at::kBFloat16);
  LinearGrad grad{at::empty({rows, in}, narrow<T> ? own : wide), rows > 0 ? at::empty({in, out}, wide) : at::zeros({in, out}, wide), at::Tensor()};
  const at::Tensor sums = withBias ? at::zeros({std::max(1, threadCount()), out}, wide) : at::Tensor();
  const at::Tensor kept = narrowed(x);
  const RightTiles right(weight, true);
  const at::Tensor xTiles = at::empty({ins * depth * pairNumbers}, own), changeTiles = at::empty({outs * depth * pairNumbers}, own);
  const Change* change = hostData<Change>(dy);
  const BFloat16* from = hostData<BFloat16>(kept);
  const BFloat16* slope = dataOf<BFloat16>(saved);
  BFloat16* lefts = hostData<BFloat16>(xTiles);
  BFloat16* rights = hostData<BFloat16>(changeTiles);
  T* dx = hostData<T>(grad.dx);
  parallel(depth, tileBlock * in * out / 16, [&](int64_t begin, int64_t end, int part) {
    const TilesInUse tiles;
    AlignedScratch changeMemory, memory;
    // Whole blocks with zeros at the edges.
    const int64_t stride = outs * tileBlock;
    BFloat16* dPre = changeMemory.of<BFloat16>(groupRows * stride);
    float* products = memory.of<float>(groupRows * tileBlock);
    float* partSums = withBias ? hostData<float>(sums) + part * out : nullptr;
    for (int64_t group = begin; group < end; group += groupBlocks) {
      const int64_t blocks = std::min(groupBlocks, end - group), row = group * tileBlock;
      const int64_t count = std::min(blocks * tileBlock, rows - row);
      if (slope == nullptr) slopeRows<false>(change + row * out, nullptr, dPre, stride, partSums, count, out);
      else slopeRows<true>(change + row * out, slope + row * out, dPre, stride, partSums, count, out);
      for (int64_t i = 0; i < blocks; i++) {
        const int64_t there = count - i * tileBlock;
        for (int64_t column = 0; column < outs; column++)
          cutRightPair(static_cast<const BFloat16*>(dPre) + i * tileBlock * stride + column * tileBlock, stride, false, there, out - column * tileBlock,
                   rights + (column * depth + group + i) * pairNumbers);
        for (int64_t column = 0; column < ins; column++)
          cutLeftPair(from + (row + i * tileBlock) * in + column * tileBlock, in, true, there, in - column * tileBlock,
                  lefts + (column * depth + group + i) * pairNumbers);
      }
      for (int64_t block = 0; block < ins; block++) {
        for (int64_t i = 0; i < blocks; i++)
          multiplyTiles(LeftTiles::rows(dPre + i * tileBlock * stride, stride), right.block(block), right.depth(), products + i * tileBlock * tileBlock,
                        tileBlock, false);
        const int64_t column = block * tileBlock;
        roundBlock(products, dx + row * in + column, in, count, std::min(tileBlock, in - column));
      }
    }
  });
  multiplyOverRows(lefts, rights, depth, hostData<float>(grad.dWeight), in, out);
  if (withBias) grad.dBias = sums.sum(0);
  return grad;
}

template <class T>
LinearGrad gradOnTiles(const at::Tensor& dy, const at::Tensor& x, const at::Tensor& weight, const at::Tensor& saved, bool withBias) {
  return dy.scalar_type() == at::kBFloat16 ? gradOnTiles<BFloat16, T>(dy, x, weight, saved, withBias)
                                           : gradOnTiles<float, T>(dy, x, weight, saved, withBias);
}

}  // namespace

Linear linearByTiles(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias, bool withGelu, bool narrow) {
  return narrow ? onTiles<BFloat16>(x, weight, bias, withGelu) : onTiles<float>(x, weight, bias, withGelu);
}

LinearGrad linearGradByTiles(const at::Tensor& dy, const at::Tensor& x, const at::Tensor& weight, const at::Tensor& saved, bool withBias, bool narrow) {
  return narrow ? gradOnTiles<BFloat16>(dy, x, weight, saved, withBias) : gradOnTiles<float>(dy, x, weight, saved, withBias);
}

}  // namespace patchstream

#endif
