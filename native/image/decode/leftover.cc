#include "decode/leftover.h"

#include <cstring>

namespace patchstream {

const uint8_t* nextMarker(const uint8_t* from, const uint8_t* end) {
  while (from < end) {
    const auto* at = static_cast<const uint8_t*>(std::memchr(from, 0xff, static_cast<size_t>(end - from)));
    if (at == nullptr || at + 1 >= end) return end;
    const uint8_t kind = at[1];
    if (kind != 0 && kind != 0xff && (kind < 0xd0 || kind > 0xd7)) return at;
    from = kind == 0xff ? at + 1 : at + 2;
  }
  return end;
}

bool isData(const uint8_t* begin, const uint8_t* from, const uint8_t* to) {
  if (to - from <= mostPadding) return false;
  const uint8_t* run = to - 1;
  while (run > begin && run > from - mostPadding && run[-1] == to[-1]) run--;
  return run > from + mostPadding / 2 || run <= from - mostPadding;
}

}  // namespace patchstream
