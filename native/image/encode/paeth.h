#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>

namespace patchstream {

// Eight pixels' bytes at a time, by what GCC and clang make of vectors on every processor.
using EightBytes = uint8_t __attribute__((vector_size(8)));
using EightNumbers = int16_t __attribute__((vector_size(16)));

inline EightNumbers eightAt(const uint8_t* bytes) {
  EightBytes eight;
  std::memcpy(&eight, bytes, sizeof eight);
  return __builtin_convertvector(eight, EightNumbers);
}

inline EightNumbers absolute(EightNumbers values) {
  const EightNumbers sign = values >> 15;
  return (values ^ sign) - sign;
}

inline EightNumbers choose(EightNumbers mask, EightNumbers yes, EightNumbers no) { return (mask & yes) | (~mask & no); }

// PNG's filter 4: what is left of a row when each byte is predicted by the nearest of three, those to the left, above and above to the left, to left + above -
// above left. `step` bytes make a pixel.
inline void paeth(const uint8_t* row, const uint8_t* above, size_t count, size_t step, uint8_t* to) {
  size_t i = 0;
  for (; i < step; i++) to[i] = static_cast<uint8_t>(row[i] - above[i]);
  for (; i + 8 <= count; i += 8) {
    const EightNumbers left = eightAt(row + i - step);
    const EightNumbers up = eightAt(above + i);
    const EightNumbers corner = eightAt(above + i - step);
    const EightNumbers fromLeft = absolute(up - corner);
    const EightNumbers fromUp = absolute(left - corner);
    const EightNumbers fromCorner = absolute(left + up - corner - corner);
    const EightNumbers nearest = choose((fromLeft <= fromUp) & (fromLeft <= fromCorner), left, choose(fromUp <= fromCorner, up, corner));
    const EightBytes rest = __builtin_convertvector(eightAt(row + i) - nearest, EightBytes);
    std::memcpy(to + i, &rest, sizeof rest);
  }
  for (; i < count; i++) {
    const int32_t left = row[i - step];
    const int32_t up = above[i];
    const int32_t corner = above[i - step];
    const int32_t fromLeft = std::abs(up - corner);
    const int32_t fromUp = std::abs(left - corner);
    const int32_t fromCorner = std::abs(left + up - 2 * corner);
    const int32_t nearest = fromLeft <= fromUp && fromLeft <= fromCorner ? left : fromUp <= fromCorner ? up : corner;
    to[i] = static_cast<uint8_t>(row[i] - nearest);
  }
}

}  // namespace patchstream
