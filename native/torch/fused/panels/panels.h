// Products of float32 matrices of which the factors lie in panels: 32 columns stand together, row after row, so that a product reads them in the order of memory. For processors with AVX-512.
#pragma once

#include <cstdint>

namespace patchstream {

// Whether the processor has AVX-512, and so these products, and they are wanted.
bool hostHasPanels();

constexpr int64_t panelWidth = 32;

// A product computes strips of so many rows of a panel at once: their sums and a row of the right factor fill the registers.
constexpr int64_t stripRows = 14;

// A left factor [rows, k] in panels, which are `step` floats apart. k is a multiple of 32.
struct LeftPanels {
  const float* data;
  int64_t step;
};

// c = a·b for one panel b [k, 32], added to c when `add`; rows of c are `cStride` floats apart.
void multiplyPanel(const LeftPanels& a, const float* b, float* c, int64_t cStride, int64_t rows, int64_t k, bool add = false);

// c [32, 32] = aᵀ·b for panels a [k, 32] and b [k, 32], added to c when `add`.
void multiplyTransposed(const float* a, const float* b, float* c, int64_t cStride, int64_t k, bool add);

}  // namespace patchstream
