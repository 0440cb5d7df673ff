#include "decode/png_rows.h"

#ifdef PATCHSTREAM_PNG_ROWS

#include <algorithm>
#include <cstring>

#include "crc32.h"

namespace patchstream {

namespace {

// Of rows that are unpacked at a time: few enough to stay in the cache.
constexpr size_t leastStored = size_t{64} << 10;

// The name of a chunk, between its length and its content; its sum is of both.
constexpr size_t nameBytes = 4;
// Length, name and sum.
constexpr size_t aroundContent = 12;

uint32_t numberAt(const uint8_t* bytes) { return uint32_t{bytes[0]} << 24 | uint32_t{bytes[1]} << 16 | uint32_t{bytes[2]} << 8 | bytes[3]; }

size_t rowRoom(size_t rowBytes) { return rowBytes + unfilterMargin; }

}  // namespace

bool PngRows::open(const uint8_t* at, const uint8_t* end, size_t rowBytes, size_t wanted, int32_t channels) {
  at_ = at;
  end_ = end;
  rowBytes_ = rowBytes;
  wanted_ = wanted;
  channels_ = channels;
  over_ = false;
  from_ = 0;
  to_ = 0;
  odd_ = false;
  // The window that the stream itself names, as libpng does.
  if (!ready_ && inflateInit2(&stream_, 0) != Z_OK) return false;
  // And for each anew: zlib would keep that of the first.
  if (ready_ && inflateReset2(&stream_, 0) != Z_OK) return false;
  ready_ = true;
  stream_.avail_in = 0;
  capacity_ = std::max<size_t>(1, leastStored / (rowBytes + 1)) * (rowBytes + 1);
  stored_.need(capacity_);
  uint8_t* rows = rows_.need(2 * rowRoom(rowBytes));
  std::memset(rows + rowRoom(rowBytes), 0, rowRoom(rowBytes));
  return openChunk();
}

bool PngRows::openChunk() {
  const auto left = static_cast<size_t>(end_ - at_);
  if (left < aroundContent || std::memcmp(at_ + 4, "IDAT", nameBytes) != 0) return false;
  const size_t length = numberAt(at_);
  if (length > left - aroundContent) return false;
  length_ = length;
  chunk_ = at_ + 8;
  at_ += aroundContent + length;
  stream_.next_in = const_cast<Bytef*>(chunk_);
  stream_.avail_in = static_cast<uInt>(length_);
  return true;
}

bool PngRows::isSound() const { return crc32(0, chunk_ - nameBytes, length_ + nameBytes) == numberAt(chunk_ + length_); }

size_t PngRows::fill(uint8_t* into, size_t bytes) {
  stream_.next_out = into;
  stream_.avail_out = static_cast<uInt>(bytes);
  while (stream_.avail_out > 0 && !over_) {
    if (stream_.avail_in == 0 && !(isSound() && openChunk())) break;
    const int answer = inflate(&stream_, Z_NO_FLUSH);
    over_ = answer == Z_STREAM_END;
    if (answer != Z_OK && !over_ && answer != Z_BUF_ERROR) break;
  }
  return bytes - stream_.avail_out;
}

const uint8_t* PngRows::next() {
  uint8_t* stored = stored_.need(0);
  if (to_ - from_ < rowBytes_ + 1) {
    from_ = 0;
    to_ = fill(stored, capacity_);
    if (to_ < rowBytes_ + 1) return nullptr;
  }
  const uint8_t* row = stored + from_;
  from_ += rowBytes_ + 1;
  if (row[0] > 4) return nullptr;
  uint8_t* made = rows_.need(0) + (odd_ ? rowRoom(rowBytes_) : 0);
  const uint8_t* above = rows_.need(0) + (odd_ ? 0 : rowRoom(rowBytes_));
  unfilter(row[0], row + 1, above, made, wanted_, channels_);
  odd_ = !odd_;
  return made;
}

bool PngRows::ended() {
  if (to_ != from_) return false;
  uint8_t more;
  return fill(&more, 1) == 0 && over_ && isSound();
}

}  // namespace patchstream

#endif
