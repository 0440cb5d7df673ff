#include "decode/huffman/group.h"

namespace patchstream {

namespace {

// A mean far out of what a picture has is libjpeg's to judge, before sums overflow.
constexpr int mostMean = 1 << 20;

// Where coefficients lie in a block, in the order of the file.
constexpr std::array<uint8_t, DCTSIZE2> places = {0,  1,  8,  16, 9,  2,  3,  10, 17, 24, 32, 25, 18, 11, 4,  5,  12, 19, 26, 33, 40, 48,
                                                  41, 34, 27, 20, 13, 6,  7,  14, 21, 28, 35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23,
                                                  30, 37, 44, 51, 58, 59, 52, 45, 38, 31, 39, 46, 53, 60, 61, 54, 47, 55, 62, 63};

// Of `size` bits, from 0 on, at the top. Below a half they are those of a negative number less one.
PATCHSTREAM_INLINED int value(uint64_t bits, int size) {
  const auto raw = static_cast<int>((bits >> 1) >> (63 - size));
  const auto negative = static_cast<int>(static_cast<int64_t>(~bits) >> 63);
  return raw - (negative & ((1 << size) - 1));
}

// The difference of a mean. Takes 31 bits at most.
PATCHSTREAM_INLINED bool difference(const DcCodes& codes, BitPlace& place, int& difference) {
  const DcCodes::Entry& entry = codes.entries()[place.bits >> (64 - HuffmanCodes::ahead)];
  if (__builtin_expect(entry.bits != 0, 1)) {
    difference = value(place.bits << entry.length, entry.size);
    drop(place, entry.bits);
    return true;
  }
  const auto [length, size] = codes.search(place.bits);
  if (size < 0 || size > 15) return false;
  difference = value(place.bits << length, size);
  drop(place, length + size);
  return true;
}

// The coefficients behind the mean.
PATCHSTREAM_INLINED bool coefficients(const AcCodes& codes, BitPlace& place, JCOEF* block) {
  const AcCodes::Entry* const entries = codes.entries();
  // Of the next coefficient.
  int next = 1;
  for (;;) {
    fill(place);
    for (int twice = 0; twice < 2; twice++) {
      const AcCodes::Entry entry = entries[place.bits >> (64 - HuffmanCodes::ahead)];
      const int one = next + entry.first;
      const int two = next + entry.both;
      if (__builtin_expect((entry.bits & AcCodes::elsewhere) != 0, 0)) {
        fill(place);
        const auto [length, symbol] = codes.search(place.bits);
        if (symbol < 0) return false;
        const int size = symbol & 15;
        if (size == 0 && symbol != 0xf0) {
          drop(place, length);
          return true;
        }
        next += (symbol >> 4) + 1;
        if (next > DCTSIZE2) return false;
        block[places[next - 1]] = static_cast<JCOEF>(value(place.bits << length, size));
        drop(place, length + size);
        if (next == DCTSIZE2) return true;
        break;
      }
      const uint64_t behind = place.bits << entry.length;
      if (__builtin_expect(two >= DCTSIZE2, 0)) {
        if (one > DCTSIZE2 || (one < DCTSIZE2 && two > DCTSIZE2)) return false;
        // Where the first is the block's last, what follows it is another block's.
        if (one < DCTSIZE2) block[places[two - 1]] = entry.value;
        block[places[one - 1]] = static_cast<JCOEF>(value(behind, entry.size));
        drop(place, one < DCTSIZE2 ? entry.bits & 63 : entry.firstBits);
        return true;
      }
      // The second first: without one it lies where the first lies.
      block[places[two - 1]] = entry.value;
      block[places[one - 1]] = static_cast<JCOEF>(value(behind, entry.size));
      drop(place, entry.bits & 63);
      next = two;
      if ((entry.bits & AcCodes::ends) != 0) return true;
    }
  }
}

PATCHSTREAM_INLINED bool group(const DcCodes* dc, const AcCodes* ac, const jpeg_decompress_struct& info, JBLOCKROW* blocks, BitPlace& place, Means& means) {
  JBLOCK unwanted;
  BitPlace now = place;
  for (int i = 0; i < info.blocks_in_MCU; i++) {
    const int component = info.MCU_membership[i];
    const jpeg_component_info& about = *info.cur_comp_info[component];
    JCOEF* const block = blocks == nullptr ? unwanted : blocks[i][0];
    fill(now);
    int change = 0;
    if (!difference(dc[about.dc_tbl_no], now, change)) return false;
    means[component] += change;
    if (means[component] > mostMean || means[component] < -mostMean) return false;
    block[0] = static_cast<JCOEF>(means[component]);
    if (!coefficients(ac[about.ac_tbl_no], now, block)) return false;
  }
  place = now;
  return true;
}

bool plain(const DcCodes* dc, const AcCodes* ac, const jpeg_decompress_struct& info, JBLOCKROW* blocks, BitPlace& place, Means& means) {
  return group(dc, ac, info, blocks, place, means);
}

#if defined(__x86_64__) && defined(__GNUC__)
// Shifts by any number of bits in one instruction in place of three.
__attribute__((target("bmi2"))) bool bmi2(const DcCodes* dc, const AcCodes* ac, const jpeg_decompress_struct& info, JBLOCKROW* blocks, BitPlace& place,
                                          Means& means) {
  return group(dc, ac, info, blocks, place, means);
}
#endif

}  // namespace

DecodeGroup fastestGroup() {
#if defined(__x86_64__) && defined(__GNUC__)
  static const DecodeGroup found = __builtin_cpu_supports("bmi2") ? bmi2 : plain;
  return found;
#else
  return plain;
#endif
}

}  // namespace patchstream
