#include "encode/jpeg/huffman_table.h"

#include <algorithm>

namespace patchstream {

namespace {

constexpr size_t values = HuffmanTable::values;
constexpr size_t longestCode = HuffmanTable::longestCode;

// Bits of a key that say which of the nodes that occur equally often is to be taken first.
constexpr int32_t placeBits = 9;
constexpr uint64_t lastPlace = (1U << placeBits) - 1;

}  // namespace

HuffmanTable bestTable(const std::array<uint32_t, HuffmanTable::values>& counts) {
  // Of those that occur, and of one more, of which there is none: no code consists of ones alone.
  std::array<uint16_t, values + 1> symbols;
  // Of each node how often it occurs and, turned round, its place among them. Leaves in the order in which they are taken, the least first; and the nodes that two
  // others stand under, which are made in that order but for those that occur equally often.
  std::array<uint64_t, values + 1> leaves;
  std::array<uint64_t, values + 1> made;
  size_t size = 0;
  const auto addLeaf = [&](uint64_t count, size_t symbol) {
    symbols[size] = static_cast<uint16_t>(symbol);
    leaves[size] = count << placeBits | (lastPlace - size);
    size++;
  };
  for (size_t i = 0; i < values; i++) {
    if (counts[i] > 0) addLeaf(counts[i], i);
  }
  addLeaf(1, values);
  // The leaves, and behind them the others, in the order in which they are made.
  std::array<uint16_t, 2 * values + 1> above;
  std::array<uint16_t, values + 1> inPlace;
  for (size_t i = 0; i < size; i++) inPlace[i] = static_cast<uint16_t>(i);
  std::sort(leaves.begin(), leaves.begin() + size);
  size_t leaf = 0;
  size_t first = 0;
  size_t end = 0;
  const auto take = [&] { return first == end || (leaf < size && leaves[leaf] < made[first]) ? leaves[leaf++] : made[first++]; };
  const auto place = [](uint64_t key) { return lastPlace - (key & lastPlace); };
  size_t nodes = size;
  for (size_t living = size; living > 1; living--) {
    const uint64_t one = take();
    const uint64_t other = take();
    above[inPlace[place(one)]] = above[inPlace[place(other)]] = static_cast<uint16_t>(nodes);
    // It stands where the lesser stood.
    inPlace[place(one)] = static_cast<uint16_t>(nodes++);
    const uint64_t both = one + (other >> placeBits << placeBits);
    size_t at = end++;
    for (; at > first && made[at - 1] > both; at--) made[at] = made[at - 1];
    made[at] = both;
  }
  std::array<uint16_t, 2 * values + 1> depths;
  depths[nodes - 1] = 0;
  for (size_t i = nodes - 1; i-- > 0;) depths[i] = static_cast<uint16_t>(depths[above[i]] + 1);
  std::array<uint32_t, values + 2> lengths{};
  for (size_t i = 0; i < size; i++) lengths[depths[i]]++;
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
  std::array<uint16_t, values + 2> next{};
  for (size_t i = 0; i + 1 < size; i++) next[depths[i] + 1]++;
  for (size_t depth = 1; depth < next.size(); depth++) next[depth] = static_cast<uint16_t>(next[depth] + next[depth - 1]);
  for (size_t i = 0; i + 1 < size; i++) table.order[next[depths[i]]++] = static_cast<uint8_t>(symbols[i]);
  table.count = size - 1;
  return table;
}

}  // namespace patchstream
