#include "detector/filters.h"

#include <algorithm>

namespace patchstream {

namespace {

constexpr long side = FilterBank::side;

// One of a row's sums. Its order, of every third product and then of the three, is dlib's.
template <typename Value>
inline float sumOf(const Value& value, const FilterBank::Taps& taps) {
  const float first = value(0) * taps[0] + value(3) * taps[3] + value(6) * taps[6] + value(9) * taps[9];
  const float second = value(1) * taps[1] + value(4) * taps[4] + value(7) * taps[7];
  const float third = value(2) * taps[2] + value(5) * taps[5] + value(8) * taps[8];
  return first + (second + third);
}

// By value, so that the compiler knows that nothing which is written changes them: they stay in registers.
void filterAcross(const float* __restrict in, FilterBank::Taps taps, long count, float* __restrict out) {
  for (long c = 0; c < count; c++) out[c] = sumOf([in, c](long i) { return in[c + i]; }, taps);
}

void filterDown(const std::array<const float*, side>& rows, FilterBank::Taps taps, long count, float* __restrict out) {
  const auto [r0, r1, r2, r3, r4, r5, r6, r7, r8, r9] = rows;
  for (long c = 0; c < count; c++) {
    const float values[] = {r0[c], r1[c], r2[c], r3[c], r4[c], r5[c], r6[c], r7[c], r8[c], r9[c]};
    out[c] += sumOf([&values](long i) { return values[i]; }, taps);
  }
}

}  // namespace

void FilterBank::apply(const Planes& features, Scratch& scratch, std::vector<float>& scores) const {
  const long down = features.rows - side + 1;
  const long across = features.columns - side + 1;
  scores.clear();
  if (down <= 0 || across <= 0) return;
  scores.resize(static_cast<size_t>(down) * across, 0.0F);
  scratch.resize(static_cast<size_t>(side) * across);
  for (const Filter& filter : filters_) {
    const float* plane = features.plane(filter.plane);
    // A row is filtered across when the last window that it is part of needs it, and is then still near: no more than ten are kept.
    std::array<const float*, side> rows{};
    for (long r = 0; r < features.rows; r++) {
      float* row = &scratch[(r % side) * across];
      filterAcross(plane + r * features.columns, filter.across, across, row);
      std::rotate(rows.begin(), rows.begin() + 1, rows.end());
      rows.back() = row;
      if (r >= side - 1) filterDown(rows, filter.down, across, &scores[(r - side + 1) * across]);
    }
  }
}

}  // namespace patchstream
