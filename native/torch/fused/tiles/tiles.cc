#include "fused/tiles/tiles.h"

#include <algorithm>

#include "fused/tiles/operations.h"
#include "fused/tiles/vectors.h"
#include "threads.h"

#ifdef PATCHSTREAM_TILES
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

namespace patchstream {

#ifdef PATCHSTREAM_TILES

namespace {

// Eight tiles, all of them whole.
struct alignas(64) TileSetting {
  uint8_t palette = 1, start = 0, none[14] = {};
  uint16_t rowBytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
  uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
};
constexpr TileSetting wholeTiles;

PATCHSTREAM_ON_TILES void useTiles() { _tile_loadconfig(&wholeTiles); }
PATCHSTREAM_ON_TILES void leaveTiles() { _tile_release(); }

bool systemGivesTiles() {
  constexpr long askForState = 0x1023, tileData = 18;
  return syscall(SYS_arch_prctl, askForState, tileData) == 0;
}

// 32 numbers of a row, and 16 as the lower halves of words; with zeros beyond `columns`, where not all are there.
template <bool whole>
PATCHSTREAM_ON_TILES inline __m512i row(const BFloat16* from, int64_t columns) {
  return whole ? _mm512_loadu_si512(from) : _mm512_maskz_loadu_epi16(firstOf32(columns), from);
}
template <bool whole>
PATCHSTREAM_ON_TILES inline __m512i row(const float* from, int64_t columns) {
  const __m512 low = whole ? _mm512_loadu_ps(from) : _mm512_maskz_loadu_ps(firstOf16(columns), from);
  const __m512 high = whole ? _mm512_loadu_ps(from + 16) : _mm512_maskz_loadu_ps(firstOf16(columns - 16), from + 16);
  return (__m512i)_mm512_cvtne2ps_pbh(high, low);
}
template <bool whole>
PATCHSTREAM_ON_TILES inline __m512i words(const BFloat16* from, int64_t columns) {
  return _mm512_cvtepu16_epi32(whole ? _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from)) : _mm256_maskz_loadu_epi16(firstOf16(columns), from));
}
template <bool whole>
PATCHSTREAM_ON_TILES inline __m512i words(const float* from, int64_t columns) {
  return _mm512_cvtepu16_epi32((__m256i)_mm512_cvtneps_pbh(whole ? _mm512_loadu_ps(from) : _mm512_maskz_loadu_ps(firstOf16(columns), from)));
}

// 16 numbers of two rows side by side, in pairs.
template <bool whole, class T>
PATCHSTREAM_ON_TILES inline __m512i pairs(const T* from, int64_t stride, int64_t rows, int64_t columns) {
  if (!whole && rows <= 0) return _mm512_setzero_si512();
  const __m512i first = words<whole>(from, columns);
  return !whole && rows == 1 ? first : _mm512_or_si512(first, _mm512_slli_epi32(words<whole>(from + stride, columns), 16));
}

// 16 × 16 words, transposed: by words and pairs of words inside of quarters, then by quarters.
PATCHSTREAM_ON_TILES inline __attribute__((always_inline)) void transpose(__m512i (&x)[16]) {
  __m512i y[16];
#pragma GCC unroll 16
  for (int i = 0; i < 16; i += 2) {
    y[i] = _mm512_unpacklo_epi32(x[i], x[i + 1]);
    y[i + 1] = _mm512_unpackhi_epi32(x[i], x[i + 1]);
  }
#pragma GCC unroll 16
  for (int i = 0; i < 16; i += 4) {
    x[i] = _mm512_unpacklo_epi64(y[i], y[i + 2]);
    x[i + 1] = _mm512_unpackhi_epi64(y[i], y[i + 2]);
    x[i + 2] = _mm512_unpacklo_epi64(y[i + 1], y[i + 3]);
    x[i + 3] = _mm512_unpackhi_epi64(y[i + 1], y[i + 3]);
  }
#pragma GCC unroll 16
  for (int i = 0; i < 4; i++) {
    y[i] = _mm512_shuffle_i32x4(x[i], x[i + 4], 0x88);
    y[i + 4] = _mm512_shuffle_i32x4(x[i], x[i + 4], 0xdd);
    y[i + 8] = _mm512_shuffle_i32x4(x[i + 8], x[i + 12], 0x88);
    y[i + 12] = _mm512_shuffle_i32x4(x[i + 8], x[i + 12], 0xdd);
  }
#pragma GCC unroll 16
  for (int i = 0; i < 4; i++) {
    x[i] = _mm512_shuffle_i32x4(y[i], y[i + 8], 0x88);
    x[i + 8] = _mm512_shuffle_i32x4(y[i], y[i + 8], 0xdd);
    x[i + 4] = _mm512_shuffle_i32x4(y[i + 4], y[i + 12], 0x88);
    x[i + 12] = _mm512_shuffle_i32x4(y[i + 4], y[i + 12], 0xdd);
  }
}

// One tile: 16 rows of 32 numbers as they lie, or 16 pairs of rows of 16 numbers; `turned`: its words transposed.
template <bool whole, bool paired, bool turned, class T>
PATCHSTREAM_ON_TILES inline void cutTile(const T* from, int64_t stride, int64_t rows, int64_t columns, BFloat16* to) {
  __m512i x[16];
#pragma GCC unroll 16
  for (int64_t i = 0; i < 16; i++) {
    if (paired) x[i] = pairs<whole>(from + 2 * i * stride, stride, rows - 2 * i, columns);
    else x[i] = whole || i < rows ? row<whole>(from + i * stride, columns) : _mm512_setzero_si512();
  }
  if (turned) transpose(x);
#pragma GCC unroll 16
  for (int64_t i = 0; i < 16; i++) _mm512_storeu_si512(to + i * 32, x[i]);
}

// Both tiles of a block at one depth. Where a block's numbers lie in rows, its second tile is 16 rows below the first, else 16 columns beside it.
template <bool whole, bool inRows, bool turned, class T>
PATCHSTREAM_ON_TILES void cutPair(const T* from, int64_t stride, int64_t rows, int64_t columns, BFloat16* to) {
  cutTile<whole, !inRows, turned>(from, stride, rows, columns, to);
  if (inRows) cutTile<whole, false, turned>(from + 16 * stride, stride, rows - 16, columns, to + tileNumbers);
  else cutTile<whole, true, turned>(from + 16, stride, rows, columns - 16, to + tileNumbers);
}

template <bool right, class T>
PATCHSTREAM_ON_TILES void cutPair(const T* from, int64_t stride, bool inRows, int64_t rows, int64_t columns, BFloat16* to) {
  const bool whole = rows >= tileBlock && columns >= tileBlock;
  if (inRows) (whole ? cutPair<true, true, right, T> : cutPair<false, true, right, T>)(from, stride, rows, columns, to);
  else (whole ? cutPair<true, false, !right, T> : cutPair<false, false, !right, T>)(from, stride, rows, columns, to);
}

PATCHSTREAM_ON_TILES void multiply(const LeftTiles& left, const BFloat16* right, int64_t depth, float* c, int64_t cStride, bool add) {
  const int64_t cRow = cStride * static_cast<int64_t>(sizeof(float));
  float* const below = c + 16 * cStride;
  // What was written before must be there when tiles are loaded: the compiler does not know that these read memory.
  __asm__ volatile("" ::: "memory");
  if (add) {
    _tile_loadd(0, c, cRow);
    _tile_loadd(1, c + 16, cRow);
    _tile_loadd(2, below, cRow);
    _tile_loadd(3, below + 16, cRow);
  } else {
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
  }
  const BFloat16* upper = left.data;
  const BFloat16* lower = left.data + left.half;
  for (int64_t i = 0; i < depth; i++, upper += left.step, lower += left.step, right += pairNumbers) {
    _tile_loadd(4, upper, left.row);
    _tile_loadd(6, right, 64);
    _tile_loadd(7, right + tileNumbers, 64);
    _tile_loadd(5, lower, left.row);
    _tile_dpbf16ps(0, 4, 6);
    _tile_dpbf16ps(1, 4, 7);
    _tile_dpbf16ps(2, 5, 6);
    _tile_dpbf16ps(3, 5, 7);
  }
  _tile_stored(0, c, cRow);
  _tile_stored(1, c + 16, cRow);
  _tile_stored(2, below, cRow);
  _tile_stored(3, below + 16, cRow);
}

}  // namespace

bool hostHasTiles() {
  static const bool has = [] {
    unsigned a = 0, b = 0, c = 0, d = 0;
    constexpr unsigned bfloat16 = 1u << 22, tiles = 1u << 24;
    return specialLoopsWanted() && hostMultipliesBfloat16() && __get_cpuid_count(7, 0, &a, &b, &c, &d) != 0 && (d & bfloat16) != 0 && (d & tiles) != 0 && systemGivesTiles();
  }();
  return has;
}

TilesInUse::TilesInUse() { useTiles(); }
TilesInUse::~TilesInUse() { leaveTiles(); }

template <class T>
void cutLeftPair(const T* from, int64_t stride, bool transposed, int64_t rows, int64_t columns, BFloat16* to) {
  cutPair<false>(from, stride, !transposed, rows, columns, to);
}
template <class T>
void cutRightPair(const T* from, int64_t stride, bool transposed, int64_t rows, int64_t columns, BFloat16* to) {
  cutPair<true>(from, stride, transposed, rows, columns, to);
}

void multiplyTiles(const LeftTiles& left, const BFloat16* right, int64_t depth, float* c, int64_t cStride, bool add) {
  multiply(left, right, depth, c, cStride, add);
}

template void cutLeftPair(const float*, int64_t, bool, int64_t, int64_t, BFloat16*);
template void cutLeftPair(const BFloat16*, int64_t, bool, int64_t, int64_t, BFloat16*);
template void cutRightPair(const float*, int64_t, bool, int64_t, int64_t, BFloat16*);
template void cutRightPair(const BFloat16*, int64_t, bool, int64_t, int64_t, BFloat16*);

template <class T>
void cutLeft(const OperandOf<T>& from, int64_t m, int64_t k, BFloat16* to) {
  for (int64_t row = 0; row < m; row += tileBlock)
    for (int64_t column = 0; column < k; column += tileBlock, to += pairNumbers) {
      if (from.transposed) cutLeftPair(from.data + column * from.stride + row, from.stride, true, k - column, m - row, to);
      else cutLeftPair(from.data + row * from.stride + column, from.stride, false, m - row, k - column, to);
    }
}

template <class T>
void cutRight(const OperandOf<T>& from, int64_t k, int64_t n, BFloat16* to) {
  for (int64_t column = 0; column < n; column += tileBlock)
    for (int64_t row = 0; row < k; row += tileBlock, to += pairNumbers) {
      if (from.transposed) cutRightPair(from.data + column * from.stride + row, from.stride, true, n - column, k - row, to);
      else cutRightPair(from.data + row * from.stride + column, from.stride, false, k - row, n - column, to);
    }
}

template void cutLeft(const OperandOf<float>&, int64_t, int64_t, BFloat16*);
template void cutLeft(const OperandOf<BFloat16>&, int64_t, int64_t, BFloat16*);
template void cutRight(const OperandOf<float>&, int64_t, int64_t, BFloat16*);
template void cutRight(const OperandOf<BFloat16>&, int64_t, int64_t, BFloat16*);

namespace {

// A weight, its blocks of columns shared among all threads.
void cutOnThreads(const float* from, int64_t stride, bool transposed, int64_t k, int64_t n, BFloat16* to) {
  const int64_t depth = tileBlocks(k);
  parallel(tileBlocks(n), tileBlock * k, [&](int64_t begin, int64_t end, int) {
    const int64_t column = begin * tileBlock;
    const OperandOf<float> part{from + (transposed ? column * stride : column), stride, transposed};
    cutRight(part, k, std::min(n, end * tileBlock) - column, to + begin * depth * pairNumbers);
  });
}

}  // namespace

RightTiles::RightTiles(const at::Tensor& factor, bool transposed) {
  const int64_t rows = factor.size(0), columns = factor.size(1);
  const int64_t n = transposed ? rows : columns, k = transposed ? columns : rows;
  blocks_ = tileBlocks(n);
  depth_ = tileBlocks(k);
  memory_ = at::empty({blocks_ * depth_ * pairNumbers}, factor.options().dtype(at::kBFloat16));
  auto* to = hostData<BFloat16>(memory_);
  data_ = to;
  cutOnThreads(hostData<float>(factor), columns, transposed, k, n, to);
}

#else

namespace {
[[noreturn]] void none() { TORCH_CHECK(false, "this processor has no tiles"); }
}  // namespace

bool hostHasTiles() { return false; }
Linear linearByTiles(const at::Tensor&, const at::Tensor&, const at::Tensor&, bool, bool) { none(); }
LinearGrad linearGradByTiles(const at::Tensor&, const at::Tensor&, const at::Tensor&, const at::Tensor&, bool, bool) { none(); }
Attention attentionByTiles(const at::Tensor&, const at::Tensor&, const at::Tensor&, const AttentionLayout&, bool) { none(); }
AttentionGrad attentionGradByTiles(const at::Tensor&, const at::Tensor&, const at::Tensor&, const at::Tensor&, const at::Tensor&, const AttentionLayout&, bool) {
  none();
}

#endif

}  // namespace patchstream
