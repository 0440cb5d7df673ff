#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdio>

#include <jpeglib.h>

#include "decode/huffman/codes.h"
#include "decode/huffman/group.h"
#include "pixels/buffer.h"

namespace patchstream {

// Decodes the codes of a JPEG of one scan (sequential, Huffman, 8 bits) in place of libjpeg, to which they are over half of all work: the same coefficients in three quarters of the
// time. It looks up two codes at a time, in data without the zeros that encoders put behind 255, and asks about the end of the data once for each group of blocks.
//
// What is not as it should be (data that ends, no code, a restart) is left to libjpeg from there to the next restart, which is handed a state that goes on as its own would. That state is private to it,
// though the same in all versions of libjpeg-turbo: the first groups of a process are decoded both ways, and libjpeg is left alone where they differ.
//
// Where several 255 stand before such a zero, libjpeg has the whole segment between two restarts, from its first code.
class HuffmanScan {
 public:
  // Behind `jpeg_start_decompress`. Does nothing for other kinds of files, and small ones. Throws std::bad_alloc. Takes `client_data`.
  void begin(j_decompress_ptr info);

  // libjpeg's state becomes what it would be by itself. After the last row that is wanted.
  void end(j_decompress_ptr info);

  // Whose decoder serves in this process: `own`, `libjpeg` where its state is another than is known here, or `untried`.
  static const char* known();

  // Where the bytes begin of which no code has used any bit. `begin` is that of the file. libjpeg holds bits that it has read ahead and not used, up to 8 bytes, by how near the end of
  // the file is; they are believed only where they are the last bytes that were read; else none were read ahead.
  static const uint8_t* behindLastCode(const jpeg_decompress_struct& info, const uint8_t* begin);

  // Gives back what is kept for the next picture where it is more than `most` bytes.
  void trim(size_t most) { bytes_.trim(most); }

 private:
  struct LibjpegsDecoder;

  static boolean decode(j_decompress_ptr info, JBLOCKROW* blocks);
  boolean decodeByLibjpeg(j_decompress_ptr info, JBLOCKROW* blocks);
  boolean compare(j_decompress_ptr info, JBLOCKROW* blocks);
  void take(const jpeg_decompress_struct& info);
  void handBack(j_decompress_ptr info) const;
  const uint8_t* inFile(const BitPlace& place, int& left) const;
  bool isBeyond(const BitPlace& place) const { return (place.at - limit_) * 8 > place.left; }

  std::array<DcCodes, NUM_HUFF_TBLS> dc_;
  std::array<AcCodes, NUM_HUFF_TBLS> ac_;
  boolean (*libjpeg_)(j_decompress_ptr, JBLOCKROW*) = nullptr;

  // The data without zeros behind 255, up to a marker or the end of the file, with zeros behind it. First the bits that libjpeg had read ahead.
  Buffer bytes_;
  size_t aheadCount_ = 0;
  // Where what follows them lies in the file.
  const uint8_t* source_ = nullptr;
  const uint8_t* limit_ = nullptr;
  BitPlace place_{};
  bool active_ = false;
};

}  // namespace patchstream
