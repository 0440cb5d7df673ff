#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "encode/bytes.h"
#include "encode/jpeg/huffman_table.h"
#include "encode/jpeg/symbols.h"
#include "pixels/buffer.h"

namespace patchstream {

// Packs a baseline JPEG in libjpeg's place, with Huffman tables of its own or with the standard's: the very bytes that libjpeg makes. libjpeg keeps all coefficients
// and goes over them twice in plain code where it is to find tables. Here each block's coefficients become symbols as soon as they are there, which are counted and
// packed at the end.
class JpegPacker {
 public:
  // Pixels of a picture at most: its symbols are kept in memory, about as many as it has pixels.
  static constexpr int64_t mostPixels = int64_t{1} << 21;

  // Whether libjpeg takes longer: its vectors pack faster than our plain code where it need not find tables.
  bool isFaster(bool optimized) const { return optimized || addOthers_ != addOthersPlain; }

  // Before the first of `blocks` blocks. Throws std::bad_alloc.
  void begin(size_t blocks) {
    symbols_.need((blocks * Symbols::blockSize + Symbols::beyond) * sizeof(uint32_t));
    symbolCount_ = 0;
    before_.fill(0);
  }

  // One more block's quantised coefficients, row by row.
  void add(size_t component, const int16_t* block);

  // One more block that has the mean of the one before and nothing else.
  void repeat(size_t component);

  // At the end, with the file as libjpeg has written it around blocks that it has not packed: with tables of its own where it is to be optimised, else with those
  // that it has. False where it is not as it should be: then it is as it was. Throws std::bad_alloc.
  bool apply(Bytes& file, bool optimized);

  // Gives back what is kept for the next picture where it is more than `most` bytes.
  void trim(size_t most) {
    symbols_.trim(most);
    packed_.trim(most);
  }

 private:
  static constexpr size_t mostTables = Symbols::tables;

  bool readHead(const Bytes& file);
  bool readTable(const uint8_t* bytes, size_t length);
  void findTables();
  uint8_t* packHead(const Bytes& file, uint8_t* to);

  // Where the first table's segment begins, and the scan's, and its data.
  size_t tablesAt_ = 0;
  size_t scanAt_ = 0;
  size_t dataAt_ = 0;
  // By class and number: DC 0, AC 0, DC 1, AC 1.
  std::array<HuffmanTable, mostTables> tables_;
  size_t tableCount_ = 0;

  // Of each component, the mean of the block before.
  std::array<int32_t, 3> before_{};
  AddOthers addOthers_ = fastestOthers();
  Buffer symbols_;
  size_t symbolCount_ = 0;
  // By the place of a symbol: its code with room for its further bits, above the number of bits of both.
  std::array<uint32_t, mostTables * Symbols::values> codes_{};
  // The new file as it will be, but for the zeros behind bytes of 255.
  Buffer packed_;
};

}  // namespace patchstream
