#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "encode/bytes.h"
#include "encode/huffman_table.h"
#include "pixels/buffer.h"

namespace patchstream {

// Gives a baseline JPEG that libjpeg makes Huffman tables of its own: the very bytes that libjpeg makes itself where it is to optimise them, for which it keeps
// all coefficients and goes over them twice in plain code. Here each block's coefficients become symbols as soon as they are there, which are counted and packed
// at the end.
class OwnTables {
 public:
  // Pixels of a picture at most: its symbols are kept in memory, about as many as it has pixels.
  static constexpr int64_t mostPixels = int64_t{1} << 21;

  // Before the first of `blocks` blocks. Throws std::bad_alloc.
  void begin(size_t blocks) {
    symbols_.need(blocks * blockSize * sizeof(uint32_t));
    symbolCount_ = 0;
    before_.fill(0);
  }

  // One more block's quantised coefficients, row by row.
  void add(size_t component, const int16_t* block);

  // At the end, with the file as libjpeg has written it around blocks that it has not packed. False where it is not as it should be: then it is as it was.
  // Throws std::bad_alloc.
  bool apply(Bytes& file);

  // Gives back what is kept for the next picture where it is more than `most` bytes.
  void trim(size_t most) {
    symbols_.trim(most);
    packed_.trim(most);
  }

 private:
  static constexpr size_t tables = 4;

  static constexpr size_t blockSize = 64;

  bool readHead(const Bytes& file);
  void count();
  size_t pack(const Bytes& file, uint8_t* to);

  // Where the first table's segment begins, and the scan's, and its data.
  size_t tablesAt_ = 0;
  size_t scanAt_ = 0;
  size_t dataAt_ = 0;
  // By class and number: DC 0, AC 0, DC 1, AC 1.
  std::array<HuffmanTable, tables> own_;
  size_t tableCount_ = 0;

  // Of each component, the mean of the block before.
  std::array<int32_t, 3> before_{};
  // A number for each symbol: its place among `tables` times 256, and above that its further bits; the new file.
  Buffer symbols_;
  size_t symbolCount_ = 0;
  Buffer packed_;
};

}  // namespace patchstream
