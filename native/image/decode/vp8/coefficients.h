#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "decode/vp8/header.h"

#ifdef PATCHSTREAM_VP8

namespace patchstream::vp8 {

constexpr size_t blocks = 24;
constexpr size_t perBlock = 16;

// What a block has: nothing, or a first coefficient, or others.
enum Has : uint8_t { nothing = 0, first = 1, others = 2 };

// The coefficients of a macroblock, times their factors, by rows: sixteen blocks of luma, four of each chroma.
struct Coefficients {
  alignas(32) std::array<int16_t, blocks * perBlock> values{};
  alignas(32) std::array<uint8_t, blocks> has{};
};

// Which blocks above, or to the left, have coefficients: four of luma, two of each chroma, and the means.
using Neighbours = std::array<uint8_t, 9>;

// Reads the coefficients of a macroblock, where there are nothing but zeros, and says whether there are any (RFC 6386, 13). `unusual` is set where one is so large that
// forms of the transform might differ.
bool readCoefficients(Bools& partition, const Header& header, const Macroblock& macroblock, Neighbours& above, Neighbours& left, Coefficients& to, bool& unusual);

}  // namespace patchstream::vp8

#endif
