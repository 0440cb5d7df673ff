// Products of bfloat16 numbers by the processor's tiles (Intel's AMX), with sums in float32. Factors are cut into tiles once and used by many products, and rows of a
// left factor that lie well are read where they lie.
#pragma once

#include <ATen/ATen.h>

#include <cstdint>
#include <vector>

#include "fused/bfloat16.h"
#include "fused/gemm.h"

namespace patchstream {

// Whether the processor has tiles for bfloat16, the system lets this process use them, and they are wanted.
bool hostHasTiles();

// A tile is 16 rows of 64 bytes; a product takes two of each factor and makes a block of 32 × 32 sums from 32 numbers of each.
constexpr int64_t tileBlock = 32;
constexpr int64_t tileNumbers = 16 * 32;
constexpr int64_t pairNumbers = 2 * tileNumbers;

inline int64_t tileBlocks(int64_t count) { return (count + tileBlock - 1) / tileBlock; }

// Memory of a thread that begins at a cache line and grows.
class AlignedScratch {
 public:
  template <class T>
  T* of(int64_t count) {
    const size_t lines = (count * sizeof(T) + sizeof(Line) - 1) / sizeof(Line);
    if (lines_.size() < lines) lines_.resize(lines);
    return reinterpret_cast<T*>(lines_.data());
  }

 private:
  struct alignas(64) Line {
    char bytes[64];
  };
  std::vector<Line> lines_;
};

// Has this thread's tiles set up for its own life. What multiplies by tiles must stand in one, and call no other library meanwhile.
class TilesInUse {
 public:
  TilesInUse();
  ~TilesInUse();
  TilesInUse(const TilesInUse&) = delete;
  TilesInUse& operator=(const TilesInUse&) = delete;
};

// Cuts the numbers of one block of a factor at one depth into its pair of tiles, with zeros beyond the edges. `from` is where they begin in row-major memory, of which `rows` and
// `columns` are left.
template <class T>
void cutLeftPair(const T* from, int64_t stride, bool transposed, int64_t rows, int64_t columns, BFloat16* to);
template <class T>
void cutRightPair(const T* from, int64_t stride, bool transposed, int64_t rows, int64_t columns, BFloat16* to);

// Cuts a whole factor of float32 or bfloat16, block by block, each of tileBlocks(k) pairs: a left one [m, k] into blocks of rows, a right one [k, n] into blocks of columns.
template <class T>
void cutLeft(const OperandOf<T>& from, int64_t m, int64_t k, BFloat16* to);
template <class T>
void cutRight(const OperandOf<T>& from, int64_t k, int64_t n, BFloat16* to);
inline int64_t cutNumbers(int64_t extent, int64_t k) { return tileBlocks(extent) * tileBlocks(k) * pairNumbers; }

// A right factor [k, n] cut into tiles: blocks of 32 columns, each of tileBlocks(k) pairs.
class RightTiles {
 public:
  // Of a tensor of float32, row-major, [k, n], or [n, k] when `transposed`. On all threads.
  RightTiles(const at::Tensor& factor, bool transposed);

  int64_t blocks() const { return blocks_; }
  int64_t depth() const { return depth_; }
  const BFloat16* block(int64_t i) const { return data_ + i * depth_ * pairNumbers; }

 private:
  at::Tensor memory_;
  const BFloat16* data_;
  int64_t blocks_, depth_;
};

// Where two tiles of a left factor begin: in memory of rows, or cut.
struct LeftTiles {
  const BFloat16* data;
  int64_t row;   // bytes between rows of a tile
  int64_t half;  // numbers between the two tiles
  int64_t step;  // numbers from one depth to the next

  static LeftTiles rows(const BFloat16* data, int64_t stride) { return {data, stride * static_cast<int64_t>(sizeof(BFloat16)), 16 * stride, tileBlock}; }
  static LeftTiles cut(const BFloat16* data) { return {data, 64, tileNumbers, pairNumbers}; }
};

// c [32, 32], in rows of `cStride` floats, = left·right over `depth` pairs, added to c when `add`.
void multiplyTiles(const LeftTiles& left, const BFloat16* right, int64_t depth, float* c, int64_t cStride, bool add);

}  // namespace patchstream
