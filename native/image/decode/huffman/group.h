#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>

#include <jpeglib.h>

#include "decode/huffman/codes.h"

// Compiled into each form of what calls it.
#define PATCHSTREAM_INLINED __attribute__((always_inline)) inline

namespace patchstream {

// Where the next code begins: bits at the top of `bits`, of which at least `left` are there, and the byte behind them.
struct BitPlace {
  const uint8_t* at;
  uint64_t bits;
  int left;
};

// At least 56 bits are there. Within a file or what lies behind it.
PATCHSTREAM_INLINED void fill(BitPlace& place) {
  uint64_t next;
  std::memcpy(&next, place.at, sizeof next);
  place.bits |= __builtin_bswap64(next) >> place.left;
  place.at += (63 - place.left) >> 3;
  place.left |= 56;
}

PATCHSTREAM_INLINED void drop(BitPlace& place, int bits) {
  place.bits <<= bits & 63;
  place.left -= bits;
}

// By component of the scan: the mean of its last block.
using Means = std::array<int, MAX_COMPS_IN_SCAN>;

// Decodes the next group of blocks (of 16 × 16 pixels where colours are half as fine) by the tables of a scan. It reads on where the data ends. False where there is no code, or what
// libjpeg must judge: then `place` is as it was, and blocks and means are not.
using DecodeGroup = bool (*)(const DcCodes* dc, const AcCodes* ac, const jpeg_decompress_struct& info, JBLOCKROW* blocks, BitPlace& place, Means& means);

// That of the machine.
DecodeGroup fastestGroup();

}  // namespace patchstream
