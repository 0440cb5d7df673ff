#include "encode/jpeg/writer.h"

#include <algorithm>
#include <new>

#include <jerror.h>
#if __has_include(<jpegint.h>)
extern "C" {
#include <jpegint.h>
}
#endif

#include "pixels/resize.h"

// As in decode/jpeg.cc: libjpeg reports an error by a jump, and no object with a destructor may live in a frame that is jumped over.

namespace patchstream {

namespace {

// Rows that libjpeg is handed at a time; `stop` is looked at between.
constexpr int32_t rowsAtOnce = 16;

#if __has_include(<jpegint.h>)
constexpr bool takesBlocks = true;
#else
constexpr bool takesBlocks = false;
#endif

}  // namespace

// What libjpeg would pack comes to us.
void JpegWriter::takeBlocks() {
#if __has_include(<jpegint.h>)
  size_t blocks = 0;
  for (int32_t i = 0; i < info_.num_components; i++) {
    const jpeg_component_info& component = info_.comp_info[i];
    blocks += size_t{component.width_in_blocks + component.h_samp_factor} * (component.height_in_blocks + component.v_samp_factor);
  }
  packer_.begin(blocks);
  info_.client_data = &packer_;
  info_.entropy->encode_mcu = [](j_compress_ptr info, JBLOCKROW* given) -> boolean {
    auto* packer = static_cast<JpegPacker*>(info->client_data);
    for (int32_t i = 0; i < info->blocks_in_MCU; i++) packer->add(info->MCU_membership[i], given[i][0]);
    return TRUE;
  };
#endif
}

void JpegWriter::fail(j_common_ptr info) {
  auto* errors = static_cast<Errors*>(info->err);
  errors->format_message(info, errors->message);
  const bool memory = errors->msg_code == JERR_OUT_OF_MEMORY || errors->msg_code == JERR_NO_BACKING_STORE;
  errors->answer = memory ? Answer::memory : Answer::broken;
  std::longjmp(errors->jump, 1);
}

// The room is full, all of it: libjpeg does not say how far it came.
boolean JpegWriter::more(j_compress_ptr info) {
  auto* destination = static_cast<Destination*>(info->dest);
  Bytes& file = *destination->file;
  const size_t written = file.capacity();
  if (!file.grow(2 * written)) ERREXIT1(info, JERR_OUT_OF_MEMORY, 0);
  destination->next_output_byte = file.data() + written;
  destination->free_in_buffer = file.capacity() - written;
  return TRUE;
}

JpegWriter::JpegWriter() {
  info_.err = jpeg_std_error(&error_);
  error_.error_exit = fail;
  error_.output_message = [](j_common_ptr) {};
  error_.emit_message = [](j_common_ptr, int) {};
  if (setjmp(error_.jump) != 0) throw std::bad_alloc();
  jpeg_create_compress(&info_);
  destination_.init_destination = [](j_compress_ptr) {};
  destination_.empty_output_buffer = more;
  destination_.term_destination = [](j_compress_ptr) {};
  info_.dest = &destination_;
}

JpegWriter::~JpegWriter() { jpeg_destroy_compress(&info_); }

Answer JpegWriter::write(const Page& page, const Encoding& encoding, const std::atomic<bool>& stop, Bytes& file) {
  file.size = 0;
  // About what a photograph of quality 90 takes.
  if (!file.grow(page.stride() * page.height / 8 + 2048)) return Answer::memory;
  destination_.file = &file;
  // Large pictures are left to libjpeg, which may use a file for what is between.
  const bool ours = takesBlocks && !arePassesPortable() && int64_t{page.width} * page.height <= JpegPacker::mostPixels && packer_.isFaster(encoding.optimized);
  const Packing theirs = encoding.optimized ? Packing::optimised : Packing::standard;
  const auto made = [&](Packing packing) {
    destination_.next_output_byte = file.data();
    destination_.free_in_buffer = file.capacity();
    const Answer answer = compress(page, encoding, packing, stop);
    file.size = file.capacity() - destination_.free_in_buffer;
    return answer;
  };
  Answer answer;
  try {
    answer = made(ours ? Packing::ours : theirs);
    if (answer == Answer::well && ours && !packer_.apply(file, encoding.optimized)) answer = made(theirs);
  } catch (const std::bad_alloc&) {
    answer = Answer::memory;
  }
  if (answer != Answer::well) {
    jpeg_abort_compress(&info_);
    file.clear();
  }
  return answer;
}

void JpegWriter::resetTables() {
  for (int32_t i = 0; i < pairs; i++) {
    JHUFF_TBL* const tables[] = {info_.dc_huff_tbl_ptrs[i], info_.ac_huff_tbl_ptrs[i]};
    for (int32_t k = 0; k < 2; k++) {
      if (hasStandard_) {
        *tables[k] = standard_[2 * i + k];
      } else {
        standard_[2 * i + k] = *tables[k];
      }
    }
  }
  hasStandard_ = true;
}

Answer JpegWriter::compress(const Page& page, const Encoding& encoding, Packing packing, const std::atomic<bool>& stop) {
  if (setjmp(error_.jump) != 0) return error_.answer;
  info_.image_width = page.width;
  info_.image_height = page.height;
  info_.input_components = page.channels;
  info_.in_color_space = page.channels == 1 ? JCS_GRAYSCALE : JCS_RGB;
  // The first time, its tables are the standard's.
  jpeg_set_defaults(&info_);
  resetTables();
  jpeg_set_quality(&info_, encoding.quality, TRUE);
  // Sharp writes none either; three components are YCbCr without it.
  info_.write_JFIF_header = FALSE;
  info_.optimize_coding = packing == Packing::optimised ? TRUE : FALSE;
  info_.dct_method = JDCT_ISLOW;
  if (page.channels == 3) {
    info_.comp_info[0].h_samp_factor = encoding.subsampled ? 2 : 1;
    info_.comp_info[0].v_samp_factor = encoding.subsampled ? 2 : 1;
  }
  jpeg_start_compress(&info_, TRUE);
  if (packing == Packing::ours) takeBlocks();
  if (packing == Packing::ours && JpegBlocks::canServe()) return makeBlocks(page, encoding, stop);
  while (info_.next_scanline < info_.image_height) {
    if (stop.load(std::memory_order_relaxed)) return Answer::stopped;
    JSAMPROW rows[rowsAtOnce];
    const auto done = static_cast<int32_t>(info_.next_scanline);
    const int32_t count = std::min(rowsAtOnce, page.height - done);
    // libjpeg only reads them.
    for (int32_t i = 0; i < count; i++) rows[i] = const_cast<uint8_t*>(page.data) + (done + i) * page.stride();
    jpeg_write_scanlines(&info_, rows, count);
  }
  jpeg_finish_compress(&info_);
  return Answer::well;
}

// Transforms and quantises in libjpeg's place, which writes what stands around the blocks.
Answer JpegWriter::makeBlocks([[maybe_unused]] const Page& page, [[maybe_unused]] const Encoding& encoding, [[maybe_unused]] const std::atomic<bool>& stop) {
#if __has_include(<jpegint.h>)
  blocks_.begin(page, encoding.subsampled, info_.quant_tbl_ptrs[0]->quantval, info_.quant_tbl_ptrs[1]->quantval);
  info_.master->pass_startup(&info_);
  for (int32_t row = 0; row < blocks_.rows(); row++) {
    if (stop.load(std::memory_order_relaxed)) return Answer::stopped;
    blocks_.add(row, packer_);
  }
  info_.next_scanline = info_.image_height;
  jpeg_finish_compress(&info_);
#endif
  return Answer::well;
}

}  // namespace patchstream
