// Codes of 64 bits, of which all that differ from another in a few bits are found without a look at most others.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace patchstream {

// A code that was found: which one was looked for, the value of the other, and in how many bits they differ.
struct Found {
  int32_t query;
  int32_t value;
  int32_t bits;
};

// The bits of a code are cut into pieces, and a code is in one list of each, by the bits of that piece. Where codes differ in at most r bits, there is a piece in which they differ in at
// most r_i of them, if the sum of all r_i + 1 is r + 1: so a code is looked for in the lists of all words that near to its own.
// Source: M. Norouzi, A. Punjani, D. Fleet, "Fast search in Hamming space with multi-index hashing", CVPR 2012.
class CodeIndex {
 public:
  // The lowest bit of codes is always 0. More pieces are better for fewer codes: lists are longer, and fewer of them are looked at.
  explicit CodeIndex(int32_t pieces);

  void add(uint64_t code, int32_t value);
  // Adds what is found; the same code up to once for each piece.
  void near(const uint64_t* queries, size_t count, int32_t radius, std::vector<Found>& found) const;

 private:
  // Codes in one piece of memory, behind them their values; room for a multiple of eight.
  struct List {
    std::unique_ptr<uint64_t[]> codes;
    uint32_t size = 0;
    uint32_t room = 0;

    int32_t* values() const { return reinterpret_cast<int32_t*>(codes.get() + room); }
    void grow();
  };

  struct Piece {
    int32_t shift;
    int32_t width;
    std::vector<List> lists;

    uint32_t wordOf(uint64_t code) const { return static_cast<uint32_t>(code >> shift) & ((uint32_t{1} << width) - 1); }
  };

  std::vector<Piece> pieces_;

  template <typename Scan>
  void nearBy(const uint64_t* queries, size_t count, int32_t radius, std::vector<Found>& found, const Scan& scan) const;
};

}  // namespace patchstream
