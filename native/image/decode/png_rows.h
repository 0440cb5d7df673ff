#pragma once

#include "decode/unfilter.h"

// libpng brings zlib with it, but not always its header.
#if defined(PATCHSTREAM_PNG) && defined(PATCHSTREAM_UNFILTER) && __has_include(<zlib.h>)
#define PATCHSTREAM_PNG_ROWS

#include <cstddef>
#include <cstdint>

#include <zlib.h>

#include "pixels/buffer.h"

namespace patchstream {

// Unpacks the rows of the plainest PNGs, of 8 bits a channel, not interlaced, and without a palette: what most photographs are. About 1.6 times as fast for pictures of
// 256 and 1,024 px as libpng, whose filters have no vector code on x86-64 as Debian builds it, and which asks zlib for one row at a time.
//
// It judges nothing: where anything is not as it should be, it ends, and libpng says what is wrong with the file, or that nothing is.
class PngRows {
 public:
  PngRows() = default;
  PngRows(const PngRows&) = delete;
  PngRows& operator=(const PngRows&) = delete;
  ~PngRows() {
    if (ready_) inflateEnd(&stream_);
  }

  // Of a picture whose rows are `rowBytes` long and whose first IDAT has its length at `at`; of each row the first `wanted` bytes are unpacked. False: left to libpng.
  bool open(const uint8_t* at, const uint8_t* end, size_t rowBytes, size_t wanted, int32_t channels);

  // The next row, which stays until the second call after; nullptr: left to libpng.
  const uint8_t* next();

  // Whether the pixels end well, after the last row.
  bool ended();

  // Gives back what is kept for the next picture where it is more than `most` bytes.
  void trim(size_t most) {
    stored_.trim(most);
    rows_.trim(most);
  }

 private:
  // Unpacks up to `bytes` to `into`: how many.
  size_t fill(uint8_t* into, size_t bytes);
  // Goes on with the IDAT whose length is at `at_`, if there is one.
  bool openChunk();
  bool isSound() const;

  z_stream stream_{};
  bool ready_ = false;
  // The whole stream is unpacked.
  bool over_ = false;
  const uint8_t* at_ = nullptr;
  const uint8_t* end_ = nullptr;
  // The chunk that is being unpacked: its content, behind which its sum lies.
  const uint8_t* chunk_ = nullptr;
  size_t length_ = 0;
  size_t rowBytes_ = 0;
  size_t wanted_ = 0;
  int32_t channels_ = 0;
  // Rows as they are stored, each behind the byte of its filter: [from_, to_) are not yet used.
  Buffer stored_;
  size_t capacity_ = 0;
  size_t from_ = 0;
  size_t to_ = 0;
  // Two rows in turn: that above, and the one that is made.
  Buffer rows_;
  bool odd_ = false;
};

}  // namespace patchstream

#endif
