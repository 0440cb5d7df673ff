#pragma once

#include <cstdint>

namespace patchstream {

// Rows [count, width]·columns [width, asked] -> products [count, asked], and the length of each row, in plain memory, on all threads.
void multiplyRows(const float* rows, const float* columns, int64_t count, int64_t width, int64_t asked, float* products,
                  float* lengths);

}  // namespace patchstream
