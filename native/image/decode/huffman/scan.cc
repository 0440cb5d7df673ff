#include "decode/huffman/scan.h"

#include <algorithm>
#include <atomic>
#include <climits>
#include <cstring>

#if __has_include(<jpegint.h>)
#include <jpegint.h>
#define KNOWS_ENTROPY_DECODER
#endif

#include "pixels/resize.h"

namespace patchstream {

#ifdef KNOWS_ENTROPY_DECODER

namespace {

// Of 64 coefficients for each block, with codes of 16 bits and values of 15; and the bits that are there before the last, and those that are loaded.
constexpr size_t mostGroupBytes = D_MAX_BLOCKS_IN_MCU * DCTSIZE2 * (16 + 15) / 8 + 2 * sizeof(uint64_t);

// Where building tables would take longer than it saves.
constexpr size_t leastBytes = 1536;

// Groups of blocks that were decoded both ways to the same in this process, or less than 0.
std::atomic<int> equalGroups{0};
constexpr int enoughGroups = 4;

// Behind `count` bytes of data, each with the zero that was put behind it where it is 255.
const uint8_t* behind(const uint8_t* from, size_t count) {
  while (count > 0) {
    const auto* stuffed = static_cast<const uint8_t*>(std::memchr(from, 0xff, count));
    if (stuffed == nullptr) return from + count;
    count -= static_cast<size_t>(stuffed - from) + 1;
    from = stuffed + 2;
  }
  return from;
}

// Of 255 that no zero follows: whether one does behind further bytes of 255. They are one byte of data to libjpeg, but where it has looked ahead so far before, and only there, the blocks
// keep what it read in the place of them.
bool isFilledData(const uint8_t* from, const uint8_t* end) {
  while (end - from >= 2 && from[1] == 0xff) from++;
  return end - from >= 2 && from[1] == 0;
}

// How many coefficients of a component's blocks libjpeg stores: one where it is to become an eighth as wide.
int storedCoefficients(const jpeg_component_info& component) {
#if JPEG_LIB_VERSION >= 70
  const int side = component.DCT_h_scaled_size;
#else
  const int side = component.DCT_scaled_size;
#endif
  if (!component.component_needed) return 0;
  return side > 1 ? DCTSIZE2 : 1;
}

}  // namespace

// What libjpeg-turbo keeps while it decodes a scan.
struct HuffmanScan::LibjpegsDecoder {
  jpeg_entropy_decoder shared;
  struct {
    size_t buffer;
    int left;
  } bits;
  int means[MAX_COMPS_IN_SCAN];
  unsigned int restartsToGo;

  // Also where it is another's state that is read.
  bool holdsBits() const { return bits.left >= 0 && bits.left <= static_cast<int>(8 * sizeof bits.buffer); }

  static LibjpegsDecoder& of(const jpeg_decompress_struct& info) { return *reinterpret_cast<LibjpegsDecoder*>(info.entropy); }
};

const char* HuffmanScan::known() {
  if (equalGroups < 0) return "libjpeg";
  return equalGroups < enoughGroups ? "untried" : "own";
}

void HuffmanScan::begin(j_decompress_ptr info) {
  active_ = false;
  // Lossless pictures, which libjpeg-turbo 3 decodes, name a predictor in Ss; they have no tables of other coefficients.
  const bool sequential = !info->progressive_mode && info->Ss == 0 && info->Se == DCTSIZE2 - 1;
  const bool suits = sequential && !info->arith_code && info->data_precision == 8 && !jpeg_has_multiple_scans(info) &&
                     info->src->bytes_in_buffer >= leastBytes && !arePassesPortable() && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__;
  if (!suits || equalGroups < 0) return;
  const LibjpegsDecoder& decoder = LibjpegsDecoder::of(*info);
  const bool begins = decoder.bits.left == 0 && decoder.restartsToGo == info->restart_interval &&
                      std::all_of(decoder.means, decoder.means + info->comps_in_scan, [](int mean) { return mean == 0; });
  if (!begins) return;
  for (int i = 0; i < info->comps_in_scan; i++) {
    const jpeg_component_info& about = *info->cur_comp_info[i];
    dc_[about.dc_tbl_no].read(*info->dc_huff_tbl_ptrs[about.dc_tbl_no]);
    ac_[about.ac_tbl_no].read(*info->ac_huff_tbl_ptrs[about.ac_tbl_no]);
  }
  // Once for all: nothing can be thrown through libjpeg.
  bytes_.need(sizeof(uint64_t) + info->src->bytes_in_buffer + mostGroupBytes);
  take(*info);
  libjpeg_ = info->entropy->decode_mcu;
  info->entropy->decode_mcu = decode;
  info->client_data = this;
}

void HuffmanScan::end(j_decompress_ptr info) {
  if (active_) handBack(info);
  active_ = false;
}

// From where libjpeg is, to the end of the data; not where what libjpeg makes of them depends on how far it has read ahead.
void HuffmanScan::take(const jpeg_decompress_struct& info) {
  const LibjpegsDecoder& decoder = LibjpegsDecoder::of(info);
  uint8_t* to = bytes_.data();
  aheadCount_ = static_cast<size_t>(decoder.bits.left + 7) / 8;
  for (size_t i = aheadCount_; i-- > 0;) *to++ = static_cast<uint8_t>(decoder.bits.buffer >> (8 * i));
  source_ = info.src->next_input_byte;
  const uint8_t* const end = source_ + info.src->bytes_in_buffer;
  for (const uint8_t* from = source_; from < end;) {
    const auto* found = static_cast<const uint8_t*>(std::memchr(from, 0xff, static_cast<size_t>(end - from)));
    const uint8_t* const until = found == nullptr ? end : found;
    to = std::copy(from, until, to);
    if (end - until < 2 || until[1] != 0) {
      if (isFilledData(until, end)) return;
      break;
    }
    *to++ = 0xff;
    from = until + 2;
  }
  std::memset(to, 0, mostGroupBytes);
  limit_ = to;
  place_ = {bytes_.data(), 0, 0};
  fill(place_);
  drop(place_, static_cast<int>(8 * aheadCount_) - decoder.bits.left);
  active_ = true;
}

// The first byte of the file of which no bit is used, and how many bits of the one before are `left`; more only where they are all of what had been read ahead.
const uint8_t* HuffmanScan::inFile(const BitPlace& place, int& left) const {
  const ptrdiff_t used = (place.at - bytes_.data()) * 8 - place.left;
  const auto ahead = static_cast<ptrdiff_t>(8 * aheadCount_);
  if (used < ahead) {
    left = static_cast<int>(ahead - used);
    return source_;
  }
  left = static_cast<int>(-used & 7);
  return behind(source_, static_cast<size_t>((used - ahead + 7) / 8));
}

void HuffmanScan::handBack(j_decompress_ptr info) const {
  LibjpegsDecoder& decoder = LibjpegsDecoder::of(*info);
  const uint8_t* const next = inFile(place_, decoder.bits.left);
  // What is above them does not count.
  BitPlace bits = place_;
  fill(bits);
  decoder.bits.buffer = decoder.bits.left == 0 ? 0 : bits.bits >> (64 - decoder.bits.left);
  info->src->bytes_in_buffer -= static_cast<size_t>(next - info->src->next_input_byte);
  info->src->next_input_byte = next;
}

boolean HuffmanScan::decode(j_decompress_ptr info, JBLOCKROW* blocks) {
  auto& scan = *static_cast<HuffmanScan*>(info->client_data);
  LibjpegsDecoder& decoder = LibjpegsDecoder::of(*info);
  if (!scan.active_ || (info->restart_interval != 0 && decoder.restartsToGo == 0)) return scan.decodeByLibjpeg(info, blocks);
  if (equalGroups < enoughGroups) return scan.compare(info, blocks);
  Means means;
  std::copy(decoder.means, decoder.means + MAX_COMPS_IN_SCAN, means.begin());
  BitPlace place = scan.place_;
  if (!fastestGroup()(scan.dc_.data(), scan.ac_.data(), *info, blocks, place, means) || scan.isBeyond(place)) {
    for (int i = 0; blocks != nullptr && i < info->blocks_in_MCU; i++) std::memset(blocks[i], 0, sizeof(JBLOCK));
    return scan.decodeByLibjpeg(info, blocks);
  }
  scan.place_ = place;
  std::copy(means.begin(), means.end(), decoder.means);
  if (info->restart_interval != 0) decoder.restartsToGo--;
  return TRUE;
}

// It stays there until the next restart.
boolean HuffmanScan::decodeByLibjpeg(j_decompress_ptr info, JBLOCKROW* blocks) {
  end(info);
  const LibjpegsDecoder& decoder = LibjpegsDecoder::of(*info);
  const bool restarts = info->restart_interval != 0 && decoder.restartsToGo == 0;
  const boolean done = libjpeg_(info, blocks);
  if (restarts && done && equalGroups >= 0 && decoder.holdsBits() && info->unread_marker == 0 && !decoder.shared.insufficient_data) take(*info);
  return done;
}

// The same group by both.
boolean HuffmanScan::compare(j_decompress_ptr info, JBLOCKROW* blocks) {
  const LibjpegsDecoder& decoder = LibjpegsDecoder::of(*info);
  std::array<JBLOCK, D_MAX_BLOCKS_IN_MCU> own{};
  std::array<JBLOCKROW, D_MAX_BLOCKS_IN_MCU> rows{};
  for (size_t i = 0; i < own.size(); i++) rows[i] = &own[i];
  Means means;
  std::copy(decoder.means, decoder.means + MAX_COMPS_IN_SCAN, means.begin());
  BitPlace place = place_;
  const bool well = fastestGroup()(dc_.data(), ac_.data(), *info, rows.data(), place, means) && !isBeyond(place);
  handBack(info);
  active_ = false;
  const boolean done = libjpeg_(info, blocks);
  if (!well || !done || info->unread_marker != 0 || decoder.shared.insufficient_data) return done;
  int left = 0;
  const uint8_t* const next = inFile(place, left);
  // libjpeg may hold more bits, of bytes behind `next`; of those that are no data to us, it alone knows what they are.
  const int more = decoder.bits.left - left;
  bool equal = decoder.holdsBits() && more >= 0 && more % 8 == 0;
  if (equal && more > (limit_ - place.at) * 8 + place.left) return done;
  equal = equal && behind(next, static_cast<size_t>(more / 8)) == info->src->next_input_byte;
  for (int i = 0; i < info->blocks_in_MCU; i++) {
    const int component = info->MCU_membership[i];
    const int count = storedCoefficients(*info->cur_comp_info[component]);
    if (count == 0) continue;
    equal = equal && means[component] == decoder.means[component];
    if (blocks != nullptr) equal = equal && std::equal(own[i], own[i] + count, blocks[i][0]);
  }
  // Other threads compare too: what one has found to differ stays.
  if (!equal) {
    equalGroups = INT_MIN;
    return done;
  }
  equalGroups++;
  take(*info);
  return done;
}

const uint8_t* HuffmanScan::behindLastCode(const jpeg_decompress_struct& info, const uint8_t* begin) {
  const uint8_t* read = info.src->next_input_byte;
  if (info.arith_code) return read;
  // A marker that was met stands behind them.
  if (info.unread_marker != 0 && read - begin >= 2) read -= 2;
  const LibjpegsDecoder& decoder = LibjpegsDecoder::of(info);
  const auto& bits = decoder.bits;
  if (!decoder.holdsBits()) return read;
  const uint8_t* from = read;
  for (int ahead = 0; ahead < bits.left / 8; ahead++) {
    // A zero behind 255 was put there by the encoder.
    if (from - begin < 2) return read;
    const bool stuffed = from[-1] == 0 && from[-2] == 0xff;
    from -= stuffed ? 2 : 1;
    // Further bytes of 255 before it are one with it.
    while (stuffed && from > begin && from[-1] == 0xff) from--;
    if (*from != ((bits.buffer >> (8 * ahead)) & 0xff)) return read;
  }
  return from;
}

#else

const char* HuffmanScan::known() { return "libjpeg"; }

void HuffmanScan::begin(j_decompress_ptr) {}

void HuffmanScan::end(j_decompress_ptr) {}

const uint8_t* HuffmanScan::behindLastCode(const jpeg_decompress_struct& info, const uint8_t*) { return info.src->next_input_byte; }

#endif

}  // namespace patchstream
