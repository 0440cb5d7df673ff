#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>

// Files with vectors are for x86-64 alone; elsewhere libwebp decodes.
#if defined(PATCHSTREAM_WEBP) && defined(__x86_64__) && defined(__GNUC__)
#define PATCHSTREAM_VP8
#endif

#ifdef PATCHSTREAM_VP8

// All that decodes runs only where the processor has these (Decoder::serves).
#define VP8_VECTORS __attribute__((target("avx2,bmi,bmi2,lzcnt")))
#define VP8_INLINED inline __attribute__((always_inline))

namespace patchstream::vp8 {

// The arithmetic decoder of one partition (RFC 6386, 7). Loops hold it in a variable of their own, whose members are then in registers.
struct Bools {
  // The next bits, at the top; below `count` of them there may be some of the bytes from `at` on.
  uint64_t window = 0;
  // What is left of the interval, less 1: 127 to 254.
  uint32_t range = 254;
  int32_t count = 0;
  const uint8_t* at = nullptr;
  const uint8_t* end = nullptr;
  // Bytes of zeros that were read behind the end.
  ptrdiff_t behind = 0;

  Bools() = default;
  Bools(const uint8_t* from, const uint8_t* to) : at(from), end(to) {}

  // Whether the bytes are those of an encoder: what is read is always less than the range. In libwebp it is not the same as here where it begins with more.
  bool isSound() const { return at == end || *at != 255; }

  // Whether libwebp might have asked for bytes behind the end, where it gives up: it does as soon as it has less than a byte in hand before it reads a bool.
  bool isBeyond() const { return 8 * (end - at - behind) + count < 8; }
};

// The range after a bool, by its probability, which one it was, and the range before. It can be computed (a product, the leading zeros of what is left, a shift), but
// each bool waits for the one before it: a look-up is half as long.
struct Ranges {
  static constexpr uint32_t least = 127;
  static constexpr uint32_t each = 128;
  std::array<uint8_t, 256 * 2 * each> after{};

  constexpr Ranges() {
    for (uint32_t probability = 0; probability < 256; probability++) {
      for (uint32_t range = least; range < least + each; range++) {
        const uint32_t split = (range * probability) >> 8;
        uint8_t* const to = &after[probability * 2 * each + range - least];
        to[0] = normal(split + 1);
        to[each] = normal(range - split);
      }
    }
  }

 private:
  static constexpr uint8_t normal(uint32_t width) {
    while (width < 128) width *= 2;
    return static_cast<uint8_t>(width - 1);
  }
};

extern const Ranges ranges;

// At least 57 bits; zeros behind the end.
VP8_INLINED void fill(Bools& bools) {
  if (__builtin_expect(bools.end - bools.at >= 8, 1)) {
    uint64_t next;
    std::memcpy(&next, bools.at, sizeof next);
    bools.window |= __builtin_bswap64(next) >> bools.count;
    bools.at += (63 - bools.count) >> 3;
    bools.count |= 56;
    return;
  }
  for (; bools.count <= 56; bools.count += 8) {
    if (bools.at < bools.end) bools.window |= static_cast<uint64_t>(*bools.at++) << (56 - bools.count);
    else bools.behind++;
  }
}

// At least 32 bits: four bools, each of which takes at most 7, as long as none was read since.
VP8_INLINED void need(Bools& bools) {
  if (__builtin_expect(bools.count < 32, 0)) fill(bools);
}

// The next bool, to be jumped on. `probability`, of a 0, is in the upper byte of 16 bits.
VP8_INLINED bool next(Bools& bools, uint32_t probability) {
  const uint8_t* const after = &ranges.after[probability];
  const uint32_t range = bools.range;
  const uint32_t split = (range * probability) >> 16;
  // Both before it is known which one it is: a jump that was guessed wrong then has one thing less to wait for.
  uint32_t zero = after[range - Ranges::least];
  uint32_t one = after[range - Ranges::least + Ranges::each];
  asm("" : "+r"(zero), "+r"(one));
  if ((bools.window >> 56) > split) {
    const int shift = __builtin_clz(range - split) - 24;
    bools.window = (bools.window - (static_cast<uint64_t>(split + 1) << 56)) << shift;
    bools.count -= shift;
    bools.range = one;
    return true;
  }
  const int shift = __builtin_clz(split + 1) - 24;
  bools.window <<= shift;
  bools.count -= shift;
  bools.range = zero;
  return false;
}

// The next bool as a number, without a jump: for those that are as often 1 as 0. `probability` is a byte.
VP8_INLINED uint32_t bit(Bools& bools, uint32_t probability) {
  const uint32_t split = (bools.range * probability) >> 8;
  const uint64_t above = static_cast<uint64_t>(split + 1) << 56;
  const bool one = bools.window >= above;
  const uint32_t width = one ? bools.range - split : split + 1;
  const int shift = __builtin_clz(width) - 24;
  bools.window = (one ? bools.window - above : bools.window) << shift;
  bools.count -= shift;
  bools.range = (width << shift) - 1;
  return one ? 1 : 0;
}

// `value` or -value, as the next bool says, which is as often 1 as 0. It always takes one bit: the range is 254 only before the first bool of all.
VP8_INLINED int32_t withSign(Bools& bools, int32_t value) {
  const uint32_t split = bools.range >> 1;
  const uint64_t above = static_cast<uint64_t>(split + 1) << 56;
  const int64_t minus = bools.window >= above ? -1 : 0;
  bools.range = (bools.range + static_cast<uint32_t>(minus)) | 1;
  bools.window = (bools.window - (above & static_cast<uint64_t>(minus))) << 1;
  bools.count--;
  return (value ^ static_cast<int32_t>(minus)) - static_cast<int32_t>(minus);
}

// A number of `bits` bits, the highest first.
inline int32_t number(Bools& bools, int bits) {
  int32_t value = 0;
  for (int i = 0; i < bits; i++) {
    need(bools);
    value = 2 * value + static_cast<int32_t>(bit(bools, 128));
  }
  return value;
}

inline bool flag(Bools& bools) { return number(bools, 1) != 0; }

// A number and behind it its sign.
inline int32_t signedNumber(Bools& bools, int bits) {
  const int32_t value = number(bools, bits);
  return flag(bools) ? -value : value;
}

// As `signedNumber` where a flag before it says so, else 0.
inline int32_t optionalNumber(Bools& bools, int bits) { return flag(bools) ? signedNumber(bools, bits) : 0; }

}  // namespace patchstream::vp8

#endif
