// Computes codes of parts of thumbnails, and finds codes near to others, as native/image/likeness does it, in memory that is exactly as large as it must be. Both forms, that of every machine
// and its fastest, must have the same results to the last bit, and what is found must be what a look at all codes finds, also after an allocation that failed.
//
//   likeness THUMBNAILS SEARCHES SEED      prints how many; ends at the first fault
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>
#include <set>
#include <tuple>
#include <utility>
#include <vector>

#include "drawn.h"
#include "likeness/code_index.h"
#include "likeness/codes.h"
#include "pixels/resize.h"

namespace {

using patchstream::CodeIndex;
using patchstream::Found;
using patchstream::Parts;
using sanitize::Chance;
using sanitize::granted;

[[noreturn]] void fail(const char* what) {
  std::fprintf(stderr, "%s\n", what);
  std::abort();
}

template <typename T>
std::unique_ptr<T[]> roomFor(size_t count) { return std::unique_ptr<T[]>(new T[count]()); }

double drawn(Chance& chance) { return (static_cast<double>(chance.below(1 << 20)) - (1 << 19)) / (1 << 18); }

// As `openParts` lets them in: edges in quarters of pixels, often at both ends.
Parts partsBy(Chance& chance) {
  constexpr uint32_t quarters = 4 * patchstream::thumbnailSide;
  Parts parts;
  const size_t intervals = 1 + chance.below(6);
  for (size_t i = 0; i < intervals; i++) {
    const auto from = static_cast<int32_t>(chance.oneIn(3) ? 0 : chance.below(quarters));
    const auto to = static_cast<int32_t>(chance.oneIn(3) ? quarters : from + 1 + chance.below(quarters - from));
    parts.edges.insert(parts.edges.end(), {from, to});
  }
  for (size_t i = 0; i < intervals * patchstream::thumbnailSide * patchstream::coarse; i++) parts.waves.push_back(drawn(chance));
  for (size_t i = 0; i < static_cast<size_t>(patchstream::thumbnailSide) * patchstream::fine; i++) parts.fineWaves.push_back(drawn(chance));
  for (size_t i = 0; i < 2 * (1 + size_t{chance.below(9)}); i++) parts.intervals.push_back(static_cast<int32_t>(chance.below(static_cast<uint32_t>(intervals))));
  parts.leastContent = static_cast<int32_t>(chance.below(64));
  // What is not said to be there must not be read.
  for (auto* numbers : {&parts.waves, &parts.fineWaves}) numbers->shrink_to_fit();
  for (auto* numbers : {&parts.edges, &parts.intervals}) numbers->shrink_to_fit();
  return parts;
}

struct Codes {
  explicit Codes(size_t count)
      : count(count), plain(roomFor<uint64_t>(count)), mirrored(roomFor<uint64_t>(count)), content(roomFor<uint8_t>(count)),
        first(roomFor<double>(coarse)), fine(roomFor<double>(fines)) {}

  static constexpr size_t coarse = patchstream::coarse * patchstream::coarse;
  static constexpr size_t fines = patchstream::fine * patchstream::fine;
  size_t count;
  std::unique_ptr<uint64_t[]> plain, mirrored;
  std::unique_ptr<uint8_t[]> content;
  std::unique_ptr<double[]> first, fine;

  bool operator==(const Codes& other) const {
    const auto same = [](const auto& one, const auto& another, size_t length) { return std::memcmp(one.get(), another.get(), length * sizeof one[0]) == 0; };
    return same(plain, other.plain, count) && same(mirrored, other.mirrored, count) && same(content, other.content, count) &&
           same(first, other.first, coarse) && same(fine, other.fine, fines);
  }
};

Codes codesOf(const Parts& parts, const uint8_t* thumbnail, bool portable) {
  Codes codes(parts.count());
  patchstream::usePortablePasses(portable);
  patchstream::codesOf(parts, thumbnail, {codes.plain.get(), codes.mirrored.get(), codes.content.get(), codes.first.get(), codes.fine.get()});
  return codes;
}

void thumbnail(Chance& chance) {
  const Parts parts = partsBy(chance);
  constexpr size_t pixels = static_cast<size_t>(patchstream::thumbnailSide) * patchstream::thumbnailSide;
  const auto picture = roomFor<uint8_t>(pixels);
  // Also of one colour, which has no content.
  const uint32_t colours = chance.oneIn(8) ? 1 : 256;
  for (size_t i = 0; i < pixels; i++) picture[i] = static_cast<uint8_t>(chance.below(colours));
  if (!(codesOf(parts, picture.get(), true) == codesOf(parts, picture.get(), false))) fail("codes of the two forms differ");
}

// Near to one that is known, so that lists are long; near to the zeros that lie behind a list; or any.
uint64_t codeBy(Chance& chance, const std::vector<uint64_t>& known) {
  uint64_t code = known.empty() || chance.oneIn(3) ? chance.next() : known[chance.below(static_cast<uint32_t>(known.size()))];
  if (chance.oneIn(4)) code = 0;
  for (uint32_t i = chance.below(16); i > 0; i--) code ^= uint64_t{1} << chance.below(64);
  return code & ~uint64_t{1};
}

using Pair = std::tuple<int32_t, int32_t, int32_t>;

std::set<Pair> near(const CodeIndex& index, const std::vector<uint64_t>& queries, int32_t radius) {
  const auto given = roomFor<uint64_t>(queries.size());
  std::copy(queries.begin(), queries.end(), given.get());
  std::vector<Found> found;
  index.near(given.get(), queries.size(), radius, found);
  std::set<Pair> pairs;
  for (const Found& one : found) pairs.insert({one.query, one.value, one.bits});
  return pairs;
}

void search(Chance& chance) {
  const auto pieces = static_cast<int32_t>(4 + chance.below(5));
  CodeIndex index(pieces);
  std::vector<uint64_t> known;
  for (int turn = 0; turn < 3; turn++) {
    for (uint32_t more = chance.below(60); more > 0; more--) {
      known.push_back(codeBy(chance, known));
      index.add(known.back(), static_cast<int32_t>(known.size() - 1));
    }
    std::vector<uint64_t> queries;
    for (uint32_t more = chance.below(20); more > 0; more--) queries.push_back(codeBy(chance, known));
    const auto radius = static_cast<int32_t>(chance.below(16)) - 1;
    std::set<Pair> expected;
    for (size_t q = 0; q < queries.size(); q++)
      for (size_t value = 0; value < known.size(); value++) {
        const int32_t bits = __builtin_popcountll(queries[q] ^ known[value]);
        if (bits <= radius) expected.insert({static_cast<int32_t>(q), static_cast<int32_t>(value), bits});
      }
    granted = chance.below(24);
    try {
      near(index, queries, radius);
    } catch (const std::bad_alloc&) {
    }
    granted = -1;
    for (const bool portable : {true, false}) {
      patchstream::usePortablePasses(portable);
      if (near(index, queries, radius) != expected) fail("another look finds other codes");
    }
  }
}

}  // namespace

int main(int, char** argv) {
  const long thumbnails = std::atol(argv[1]);
  const long searches = std::atol(argv[2]);
  const uint64_t seed = std::strtoull(argv[3], nullptr, 10);
  for (long i = 0; i < thumbnails; i++) {
    Chance chance(seed * 1000003 + static_cast<uint64_t>(i));
    thumbnail(chance);
  }
  for (long i = 0; i < searches; i++) {
    Chance chance(seed * 2000003 + static_cast<uint64_t>(i));
    search(chance);
  }
  std::printf("likeness: %ld thumbnails, %ld searches\n", thumbnails, searches);
}
