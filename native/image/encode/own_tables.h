#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "encode/bytes.h"
#include "encode/huffman_table.h"
#include "pixels/buffer.h"

namespace patchstream {

// What is to be known of a baseline JPEG to read its only scan: one component, or three of which the first may have twice the rows and columns of the others.
struct JpegScan {
  int32_t width;
  int32_t height;
  int32_t channels;
  bool subsampled;
};

// Gives a JPEG that libjpeg has made with the standard's Huffman tables tables of its own: the very bytes that libjpeg makes itself where it is to optimise them,
// for which it keeps all coefficients and goes over them twice in plain code. Here what it has packed with vectors is unpacked once into symbols, which are
// counted and packed again.
class OwnTables {
 public:
  // Pixels of a picture at most: its symbols are kept in memory, about as many as it has pixels.
  static constexpr int64_t mostPixels = int64_t{1} << 21;

  // False where the file is not as it should be: then it is as it was. Throws std::bad_alloc.
  bool apply(const JpegScan& scan, Bytes& file);

  // Gives back what is kept for the next picture where it is more than `most` bytes.
  void trim(size_t most) {
    plain_.trim(most);
    symbols_.trim(most);
    packed_.trim(most);
  }

 private:
  static constexpr size_t tables = 4;

  // The first bits of what follows, as an index: the symbol and the length of its code; 0 where that is longer.
  struct Lookup {
    static constexpr int32_t bits = 10;
    std::array<uint16_t, size_t{1} << bits> first{};
    // Of each length: one past its last code, moved up to 16 bits; and the place of its first code's symbol, less that code.
    std::array<uint32_t, 18> end{};
    std::array<int32_t, 17> place{};
    HuffmanTable table;
  };

  bool readHead(const Bytes& file);
  bool unpack(const JpegScan& scan, const uint8_t* from, size_t length);
  void count();
  static void fill(Lookup& lookup);
  size_t pack(const Bytes& file, uint8_t* to);

  // Where the first table's segment begins, and the scan's, and its data.
  size_t tablesAt_ = 0;
  size_t scanAt_ = 0;
  size_t dataAt_ = 0;
  // By class and number: DC 0, AC 0, DC 1, AC 1.
  std::array<Lookup, tables> given_;
  std::array<HuffmanTable, tables> own_;
  size_t tableCount_ = 0;

  // The data without the zeros behind 255; a number for each symbol: its place among `tables` times 256, and above that its further bits; the new data.
  Buffer plain_;
  Buffer symbols_;
  size_t symbolCount_ = 0;
  Buffer packed_;
};

}  // namespace patchstream
