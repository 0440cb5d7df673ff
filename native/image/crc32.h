#pragma once

#include <cstddef>
#include <cstdint>

namespace patchstream {

// CRC-32 as zlib has it of `length` bytes; `before` is that of what lies in front of them. The fastest way of this machine but for the first `slower`.
uint32_t crc32(uint32_t before, const uint8_t* bytes, size_t length, size_t slower = 0);

// The ways there are beside a table, which is slow: more than none where the processor multiplies without carry.
size_t crc32Ways();

}  // namespace patchstream
