#include "likeness/code_index.h"

#include <algorithm>
#include <cstring>
#include <map>
#include <mutex>
#include <utility>

#include "likeness/vectors.h"

#ifdef PATCHSTREAM_AVX2
#include <immintrin.h>
#endif

namespace patchstream {

namespace {

constexpr int32_t codeBits = 63;

// All words of `width` bits with at most so many ones; made once, and never destroyed.
const std::vector<uint32_t>& wordsWith(int32_t width, int32_t ones) {
  static std::mutex mutex;
  static auto& known = *new std::map<std::pair<int32_t, int32_t>, std::vector<uint32_t>>;
  const std::lock_guard<std::mutex> lock(mutex);
  std::vector<uint32_t>& words = known[{width, ones}];
  if (words.empty()) {
    // Kept when they are all there: memory may end on the way.
    std::vector<uint32_t> all;
    for (uint32_t word = 0; word < uint32_t{1} << width; word++)
      if (__builtin_popcount(word) <= ones) all.push_back(word);
    words = std::move(all);
  }
  return words;
}

struct Wanted {
  uint64_t code;
  int32_t query;
};

struct Codes {
  const uint64_t* codes;
  const int32_t* values;
  uint32_t size;
};

void scanPlain(const Codes& list, const Wanted* wanted, size_t count, int32_t radius, std::vector<Found>& found) {
  for (uint32_t i = 0; i < list.size; i++) {
    for (size_t q = 0; q < count; q++) {
      const int32_t bits = __builtin_popcountll(list.codes[i] ^ wanted[q].code);
      if (bits <= radius) found.push_back({wanted[q].query, list.values[i], bits});
    }
  }
}

#ifdef PATCHSTREAM_AVX2

// Of the codes from i on those whose bits are set; beyond the last one there is room without codes.
AVX2 inline void keep(uint32_t near, uint32_t i, const Codes& list, const Wanted& wanted, std::vector<Found>& found) {
  for (; near != 0; near &= near - 1) {
    const uint32_t at = i + static_cast<uint32_t>(__builtin_ctz(near));
    if (at < list.size) found.push_back({wanted.query, list.values[at], static_cast<int32_t>(__builtin_popcountll(list.codes[at] ^ wanted.code))});
  }
}

// The ones of each of four words.
AVX2 inline __m256i onesOf(__m256i words) {
  const __m256i table = _mm256_setr_epi8(0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4, 0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4);
  const __m256i low = _mm256_set1_epi8(15);
  const __m256i ones = _mm256_add_epi8(_mm256_shuffle_epi8(table, _mm256_and_si256(words, low)),
                                       _mm256_shuffle_epi8(table, _mm256_and_si256(_mm256_srli_epi16(words, 4), low)));
  return _mm256_sad_epu8(ones, _mm256_setzero_si256());
}

AVX2 void scanAvx2(const Codes& list, const Wanted* wanted, size_t count, int32_t radius, std::vector<Found>& found) {
  const __m256i most = _mm256_set1_epi64x(radius);
  for (uint32_t i = 0; i < list.size; i += 4) {
    const __m256i codes = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(list.codes + i));
    for (size_t q = 0; q < count; q++) {
      const __m256i bits = onesOf(_mm256_xor_si256(codes, _mm256_set1_epi64x(static_cast<int64_t>(wanted[q].code))));
      const auto near = static_cast<uint32_t>(_mm256_movemask_pd(_mm256_castsi256_pd(_mm256_cmpgt_epi64(bits, most)))) ^ 15;
      if (near != 0) keep(near, i, list, wanted[q], found);
    }
  }
}

AVX512 void scanAvx512(const Codes& list, const Wanted* wanted, size_t count, int32_t radius, std::vector<Found>& found) {
  const __m512i most = _mm512_set1_epi64(radius);
  for (uint32_t i = 0; i < list.size; i += 8) {
    const __m512i codes = _mm512_loadu_si512(list.codes + i);
    for (size_t q = 0; q < count; q++) {
      const __m512i bits = _mm512_popcnt_epi64(_mm512_xor_si512(codes, _mm512_set1_epi64(static_cast<int64_t>(wanted[q].code))));
      const uint32_t near = _mm512_cmple_epi64_mask(bits, most);
      if (near != 0) keep(near, i, list, wanted[q], found);
    }
  }
}

#endif

// Lists lie anywhere, and reading one takes less time than waiting for its first bytes.
inline void prefetch(const uint64_t* codes, uint32_t size) {
  constexpr uint32_t line = 64 / sizeof(uint64_t);
  for (uint32_t i = 0; i < size && i < 16 * line; i += line) __builtin_prefetch(codes + i);
}

// A query that is to be looked for in a list, and the place of the one before it in the same list, -1 where it is the first.
struct Visit {
  int32_t query;
  int32_t before;
};

// Which queries are to be looked for in which lists of a piece: a list is read once for all of them.
struct Visits {
  std::vector<Visit> all;
  // Of each list its last visit, -1 where there is none: all are, between two pieces.
  std::vector<int32_t> last;
  // Whether a search is under way, or has ended for want of memory.
  bool open = false;
  // The lists that are visited, as many as there are.
  std::vector<uint32_t> lists;
  size_t count = 0;
};

}  // namespace

void CodeIndex::List::grow() {
  const uint32_t more = std::max<uint32_t>(8, (room + room / 2 + 7) & ~uint32_t{7});
  // Values take half as much as codes.
  auto wider = std::make_unique<uint64_t[]>(more + more / 2);
  if (size > 0) {
    std::memcpy(wider.get(), codes.get(), size * sizeof(uint64_t));
    std::memcpy(wider.get() + more, values(), size * sizeof(int32_t));
  }
  codes = std::move(wider);
  room = more;
}

CodeIndex::CodeIndex(int32_t pieces) {
  int32_t shift = 1;
  for (int32_t i = 0; i < pieces; i++) {
    const int32_t width = codeBits / pieces + (i < codeBits % pieces ? 1 : 0);
    pieces_.push_back({shift, width, std::vector<List>(size_t{1} << width)});
    shift += width;
  }
}

void CodeIndex::add(uint64_t code, int32_t value) {
  for (Piece& piece : pieces_) {
    List& list = piece.lists[piece.wordOf(code)];
    if (list.size == list.room) list.grow();
    list.codes[list.size] = code;
    list.values()[list.size++] = value;
  }
}

// All visits of the words near to those of the queries to lists that are not empty.
template <typename Piece>
void plan(const Piece& piece, const std::vector<uint32_t>& words, const uint64_t* queries, size_t count, Visits& visits) {
  if (visits.last.size() < piece.lists.size()) visits.last.resize(piece.lists.size(), -1);
  visits.all.resize(std::max(visits.all.size(), count * words.size()));
  visits.lists.resize(std::max(visits.lists.size(), piece.lists.size() + 1));
  Visit* const all = visits.all.data();
  int32_t* const last = visits.last.data();
  uint32_t* const touched = visits.lists.data();
  int32_t next = 0;
  size_t lists = 0;
  for (size_t q = 0; q < count; q++) {
    const uint32_t own = piece.wordOf(queries[q]);
    for (const uint32_t word : words) {
      const uint32_t list = own ^ word;
      // Written in any case, and kept where it is the first visit: a branch would be guessed wrongly.
      touched[lists] = list;
      lists += last[list] < 0 ? 1 : 0;
      all[next] = {static_cast<int32_t>(q), last[list]};
      last[list] = next++;
    }
  }
  visits.count = lists;
}

template <typename Scan>
void CodeIndex::nearBy(const uint64_t* queries, size_t count, int32_t radius, std::vector<Found>& found, const Scan& scan) const {
  constexpr size_t ahead = 4;
  thread_local Visits kept;
  thread_local std::vector<Wanted> room;
  Visits& visits = kept;
  if (visits.open) std::fill(visits.last.begin(), visits.last.end(), -1);
  visits.open = true;
  room.resize(count);
  Wanted* const wanted = room.data();
  const auto pieces = static_cast<int32_t>(pieces_.size());
  for (int32_t p = 0; p < pieces; p++) {
    const Piece& piece = pieces_[static_cast<size_t>(p)];
    const int32_t nearBy = (radius + 1) / pieces + (p < (radius + 1) % pieces ? 1 : 0) - 1;
    if (nearBy < 0) continue;
    plan(piece, wordsWith(piece.width, nearBy), queries, count, visits);
    const Visit* const all = visits.all.data();
    for (size_t i = 0; i < visits.count; i++) {
      if (i + ahead < visits.count) {
        const List& later = piece.lists[visits.lists[i + ahead]];
        prefetch(later.codes.get(), later.size);
      }
      const uint32_t at = visits.lists[i];
      const List& list = piece.lists[at];
      size_t queriesHere = 0;
      for (int32_t visit = visits.last[at]; visit >= 0; visit = all[visit].before)
        wanted[queriesHere++] = {queries[all[visit].query], all[visit].query};
      visits.last[at] = -1;
      scan({list.codes.get(), list.values(), list.size}, wanted, queriesHere, radius, found);
    }
  }
  visits.open = false;
}

void CodeIndex::near(const uint64_t* queries, size_t count, int32_t radius, std::vector<Found>& found) const {
#ifdef PATCHSTREAM_AVX2
  if (hasAvx512()) return nearBy(queries, count, radius, found, scanAvx512);
  if (hasAvx2()) return nearBy(queries, count, radius, found, scanAvx2);
#endif
  nearBy(queries, count, radius, found, scanPlain);
}

}  // namespace patchstream
