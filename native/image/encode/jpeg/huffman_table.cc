#include "encode/jpeg/huffman_table.h"

#include <algorithm>
#include <functional>

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
  // Of each node that stands under no other, how often it occurs and, turned round, its place among them; the least comes first.
  std::array<uint64_t, values + 1> keys;
  size_t size = 0;
  const auto addLeaf = [&](uint64_t count, size_t symbol) {
    symbols[size] = static_cast<uint16_t>(symbol);
    keys[size] = count << placeBits | (lastPlace - size);
    size++;
  };
  for (size_t i = 0; i < values; i++) {
    if (counts[i] > 0) addLeaf(counts[i], i);
  }
  addLeaf(1, values);
  // The leaves, and behind them the nodes that two others stand under, in the order in which they are made.
  std::array<uint16_t, 2 * values + 1> above;
  std::array<uint16_t, values + 1> inPlace;
  for (size_t i = 0; i < size; i++) inPlace[i] = static_cast<uint16_t>(i);
  const auto least = keys.begin();
  std::make_heap(least, least + size, std::greater<>());
  size_t nodes = size;
  for (size_t living = size; living > 1; living--) {
    const auto take = [&](size_t among) {
      std::pop_heap(least, least + among, std::greater<>());
      return keys[among - 1];
    };
    const uint64_t one = take(living);
    const uint64_t other = take(living - 1);
    const auto place = [](uint64_t key) { return lastPlace - (key & lastPlace); };
    above[inPlace[place(one)]] = above[inPlace[place(other)]] = static_cast<uint16_t>(nodes);
    // It stands where the lesser stood.
    inPlace[place(one)] = static_cast<uint16_t>(nodes++);
    keys[living - 2] = one + (other >> placeBits << placeBits);
    std::push_heap(least, least + living - 1, std::greater<>());
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
  for (size_t depth = 1; depth <= values; depth++) {
    for (size_t i = 0; i + 1 < size; i++) {
      if (depths[i] == depth) table.order[table.count++] = static_cast<uint8_t>(symbols[i]);
    }
    if (table.count + 1 == size) break;
  }
  return table;
}

}  // namespace patchstream
