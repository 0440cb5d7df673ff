#include "encode/png_writer.h"

#ifdef PATCHSTREAM_DEFLATE

#include <cstdlib>
#include <cstring>

#include "crc32.h"
#include "encode/paeth.h"

namespace patchstream {

namespace {

constexpr uint8_t signature[] = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'};
constexpr size_t headerBytes = 13;
// Of each chunk beside its data: the length before its name, the name, and the sum.
constexpr size_t chunkBytes = 12;

void putNumber(uint8_t* to, uint32_t value) {
  for (int32_t i = 0; i < 4; i++) to[i] = static_cast<uint8_t>(value >> (24 - 8 * i));
}

// Puts length, name and sum around data that lies 8 bytes behind `at`. Where the chunk ends.
uint8_t* closeChunk(uint8_t* at, const char* name, size_t length) {
  putNumber(at, static_cast<uint32_t>(length));
  std::memcpy(at + 4, name, 4);
  putNumber(at + 8 + length, crc32(0, at + 4, 4 + length));
  return at + chunkBytes + length;
}

// How far the bytes are from zero, each taken as a number from -128 to 127.
uint32_t distance(const uint8_t* bytes, size_t count) {
  uint32_t sum = 0;
  for (size_t i = 0; i < count; i++) sum += static_cast<uint32_t>(std::abs(static_cast<int8_t>(bytes[i])));
  return sum;
}

// Every row behind the number of its filter: 0, or 4 where what Paeth's leaves is nearer to zero. The first row has none.
bool filter(const Page& page, const std::atomic<bool>& stop, uint8_t* to) {
  const size_t stride = page.stride();
  for (int32_t y = 0; y < page.height; y++, to += stride + 1) {
    if (stop.load(std::memory_order_relaxed)) return false;
    const uint8_t* row = page.data + y * stride;
    if (y > 0) {
      to[0] = 4;
      paeth(row, row - stride, stride, page.channels, to + 1);
      if (distance(to + 1, stride) < distance(row, stride)) continue;
    }
    to[0] = 0;
    std::memcpy(to + 1, row, stride);
  }
  return true;
}

}  // namespace

Answer PngWriter::write(const Page& page, const std::atomic<bool>& stop, Bytes& file) {
  file.size = 0;
  const size_t bytes = (page.stride() + 1) * page.height;
  if (bytes > mostBytes) return Answer::foreign;
  if (compressor_ == nullptr) compressor_.reset(libdeflate_alloc_compressor(1));
  if (compressor_ == nullptr) return Answer::memory;
  const size_t most = libdeflate_zlib_compress_bound(compressor_.get(), bytes);
  if (!file.grow(sizeof signature + 3 * chunkBytes + headerBytes + most)) return Answer::memory;
  uint8_t* rows = rows_.need(bytes);
  if (!filter(page, stop, rows)) return Answer::stopped;
  uint8_t* at = file.data();
  std::memcpy(at, signature, sizeof signature);
  at += sizeof signature;
  putNumber(at + 8, page.width);
  putNumber(at + 12, page.height);
  // 8 bits, grey or RGB, and the only compression, filters and order that are not interlaced.
  const uint8_t rest[] = {8, static_cast<uint8_t>(page.channels == 1 ? 0 : 2), 0, 0, 0};
  std::memcpy(at + 16, rest, sizeof rest);
  at = closeChunk(at, "IHDR", headerBytes);
  at = closeChunk(at, "IDAT", libdeflate_zlib_compress(compressor_.get(), rows, bytes, at + 8, most));
  at = closeChunk(at, "IEND", 0);
  file.size = static_cast<size_t>(at - file.data());
  return Answer::well;
}

}  // namespace patchstream

#endif
