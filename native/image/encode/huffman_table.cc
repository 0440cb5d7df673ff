#include "encode/huffman_table.h"

#include <algorithm>

namespace patchstream {

namespace {

constexpr size_t values = HuffmanTable::values;
constexpr size_t longestCode = HuffmanTable::longestCode;

// Of each symbol that occurs: how often all that it stands for does; its depth; and the next that stands under the same.
struct Node {
  uint64_t count;
  uint16_t symbol;
  uint16_t depth;
  int16_t next;
};

}  // namespace

HuffmanTable bestTable(const std::array<uint32_t, HuffmanTable::values>& counts) {
  std::array<Node, values + 1> nodes;
  size_t size = 0;
  for (size_t i = 0; i < values; i++) {
    if (counts[i] > 0) nodes[size++] = {counts[i], static_cast<uint16_t>(i), 0, -1};
  }
  // One more, of which there is none: no code consists of ones alone.
  nodes[size++] = {1, values, 0, -1};
  std::array<uint16_t, values + 1> alive;
  size_t living = size;
  for (size_t i = 0; i < size; i++) alive[i] = static_cast<uint16_t>(i);
  while (living > 1) {
    size_t least = 0;
    size_t second = living;
    for (size_t i = 1; i < living; i++) {
      if (nodes[alive[i]].count <= nodes[alive[least]].count) {
        second = least;
        least = i;
      } else if (second == living || nodes[alive[i]].count <= nodes[alive[second]].count) {
        second = i;
      }
    }
    // The last of the least stays alive, above the other.
    Node* one = &nodes[alive[least]];
    Node* other = &nodes[alive[second]];
    one->count += other->count;
    const auto under = static_cast<int16_t>(alive[second]);
    one->depth++;
    while (one->next >= 0) {
      one = &nodes[one->next];
      one->depth++;
    }
    one->next = under;
    other->depth++;
    while (other->next >= 0) {
      other = &nodes[other->next];
      other->depth++;
    }
    std::copy(alive.begin() + second + 1, alive.begin() + living, alive.begin() + second);
    living--;
  }
  std::array<uint32_t, values + 2> lengths{};
  for (size_t i = 0; i < size; i++) lengths[nodes[i].depth]++;
  for (size_t i = values; i > longestCode; i--) {
    while (lengths[i] > 0) {
      size_t j = i - 2;
      while (lengths[j] == 0) j--;
      lengths[i] -= 2;
      lengths[i - 1]++;
      lengths[j + 1] += 2;
      lengths[j]--;
    }
  }
  size_t longest = longestCode;
  while (lengths[longest] == 0) longest--;
  lengths[longest]--;
  HuffmanTable table;
  for (size_t i = 1; i <= longestCode; i++) table.lengths[i] = static_cast<uint8_t>(lengths[i]);
  // By the depths in the tree, as it was before its longest codes were shortened, and then by the symbols.
  for (size_t depth = 1; depth <= values; depth++) {
    for (size_t i = 0; i + 1 < size; i++) {
      if (nodes[i].depth == depth) table.order[table.count++] = static_cast<uint8_t>(nodes[i].symbol);
    }
    if (table.count + 1 == size) break;
  }
  return table;
}

}  // namespace patchstream
