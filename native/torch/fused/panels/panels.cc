#include "fused/panels/panels.h"

#include <array>
#include <utility>

#include "device/device.h"
#include "fused/simd.h"

namespace patchstream {

namespace {

// `R` rows of c. The left factor's numbers are `Row` apart from one row to the next, and `Step` from one k to the next within `chunk` of them; chunks are `next` apart.
template <int R, int Row, int Step, bool Add>
struct Strip {
  template <int W>
  static PATCHSTREAM_INLINE void run(const float* a, int64_t chunk, int64_t next, int64_t chunks, const float* b, float* c, int64_t cStride) {
    constexpr int parts = panelWidth / W;
    Floats<W> sums[R][parts] = {};
    for (int row = 0; Add && row < R; row++)
      for (int part = 0; part < parts; part++) __builtin_prefetch(c + row * cStride + part * W, 1);
    for (int64_t i = 0; i < chunks; i++, a += next) {
      const float* left = a;
      for (int64_t k = 0; k < chunk; k++, left += Step, b += panelWidth) {
        Floats<W> right[parts];
        for (int part = 0; part < parts; part++) right[part] = load<W>(b + part * W);
        PATCHSTREAM_UNROLL
        for (int row = 0; row < R; row++)
          for (int part = 0; part < parts; part++) sums[row][part] += left[row * Row] * right[part];
      }
    }
    PATCHSTREAM_UNROLL
    for (int row = 0; row < R; row++) {
      for (int part = 0; part < parts; part++) {
        float* to = c + row * cStride + part * W;
        store<W>(to, Add ? load<W>(to) + sums[row][part] : sums[row][part]);
      }
    }
  }
};

#ifdef PATCHSTREAM_X86

using Multiply = void (*)(const float*, int64_t, int64_t, int64_t, const float*, float*, int64_t);

template <class S>
constexpr Multiply strip = onAvx512<S, const float*, int64_t, int64_t, int64_t, const float*, float*, int64_t>;

template <bool Add, size_t... rows>
constexpr std::array<Multiply, sizeof...(rows)> strips(std::index_sequence<rows...>) {
  return {strip<Strip<rows + 1, panelWidth, 1, Add>>...};
}

#endif

}  // namespace

#ifdef PATCHSTREAM_X86

bool hostHasPanels() {
  static const bool has = simdLevel() == 2 && specialLoopsWanted();
  return has;
}

void multiplyPanel(const LeftPanels& a, const float* b, float* c, int64_t cStride, int64_t rows, int64_t k, bool add) {
  static constexpr std::array<Multiply, stripRows> ofRows[] = {strips<false>(std::make_index_sequence<stripRows>()),
                                                               strips<true>(std::make_index_sequence<stripRows>())};
  const int64_t count = (rows + stripRows - 1) / stripRows;
  for (int64_t i = 0; i < count; i++) {
    const int64_t begin = rows * i / count, end = rows * (i + 1) / count;
    ofRows[add][end - begin - 1](a.data + begin * panelWidth, panelWidth, a.step, k / panelWidth, b, c + begin * cStride, cStride);
  }
}

void multiplyTransposed(const float* a, const float* b, float* c, int64_t cStride, int64_t k, bool add) {
  // 32 rows in three strips.
  static constexpr Multiply eleven[] = {strip<Strip<11, 1, panelWidth, false>>, strip<Strip<11, 1, panelWidth, true>>};
  static constexpr Multiply ten[] = {strip<Strip<10, 1, panelWidth, false>>, strip<Strip<10, 1, panelWidth, true>>};
  eleven[add](a, k, 0, 1, b, c, cStride);
  eleven[add](a + 11, k, 0, 1, b, c + 11 * cStride, cStride);
  ten[add](a + 22, k, 0, 1, b, c + 22 * cStride, cStride);
}

#else

bool hostHasPanels() { return false; }
void multiplyPanel(const LeftPanels&, const float*, float*, int64_t, int64_t, int64_t, bool) {}
void multiplyTransposed(const float*, const float*, float*, int64_t, int64_t, bool) {}

#endif

}  // namespace patchstream
