#include "fused/rows.h"

#include <cmath>

#include "fused/gemm.h"
#include "fused/simd.h"
#include "threads.h"

namespace patchstream {

namespace {

struct RowLengths {
  template <int W>
  static PATCHSTREAM_INLINE void run(const float* rows, float* lengths, int64_t count, int64_t width) {
    for (int64_t row = 0; row < count; row++, rows += width) {
      Floats<W> squares{};
      int64_t i = 0;
      for (; i + W <= width; i += W) {
        const Floats<W> x = load<W>(rows + i);
        squares += x * x;
      }
      float sum = sumOf<W>(squares);
      for (; i < width; i++) sum += rows[i] * rows[i];
      lengths[row] = std::sqrt(sum);
    }
  }
};

}  // namespace

void multiplyRows(const float* rows, const float* columns, int64_t count, int64_t width, int64_t asked, float* products,
                  float* lengths) {
  gemm(count, asked, width, 1, {rows, width}, {columns, asked}, 0, products, asked);
  parallel(count, width, [&](int64_t begin, int64_t end, int) {
    simd<RowLengths>(rows + begin * width, lengths + begin, end - begin, width);
  });
}

}  // namespace patchstream
