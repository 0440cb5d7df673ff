#pragma once

#include <cstddef>
#include <cstdint>

namespace patchstream {

// CRC-32 as zlib has it of `length` bytes; `before` is that of what lies in front of them.
uint32_t crc32(uint32_t before, const uint8_t* bytes, size_t length);

// Whether the processor multiplies without carry, which makes this several times as fast as a table.
bool hasCrc32();

}  // namespace patchstream
