#include "decode/jpeg.h"

#include <algorithm>
#include <cstdio>

#include <jerror.h>

#include "decode/leftover.h"

// libjpeg reports an error by a jump out of its depths to the function below that called it. No object with a destructor may live in a frame
// that is jumped over: between `setjmp` and the end there are only numbers and pointers.

namespace patchstream {

namespace {

// A few bytes can announce one more scan over the whole picture; encoders write about ten.
constexpr int mostScans = 100;

constexpr bool isRestart(int marker) { return marker >= JPEG_RST0 && marker <= JPEG_RST0 + 7; }

// Bytes that libjpeg has read ahead of the codes.
constexpr int mostReadAhead = 8;

// What a file without an end is taken to end with.
constexpr JOCTET endMarker[] = {0xff, JPEG_EOI};

void skipBytes(j_decompress_ptr info, long count) {
  if (count <= 0) return;
  if (static_cast<unsigned long>(count) > info->src->bytes_in_buffer) ERREXIT(info, JERR_INPUT_EOF);
  info->src->next_input_byte += count;
  info->src->bytes_in_buffer -= count;
}

}  // namespace

void JpegReader::fail(j_common_ptr info) {
  auto* errors = static_cast<Errors*>(info->err);
  errors->format_message(info, errors->message);
  // The second when the environment limits libjpeg's memory (JPEGMEM).
  switch (errors->msg_code) {
    case JERR_OUT_OF_MEMORY:
    case JERR_NO_BACKING_STORE:
      errors->leave(Answer::memory);
    // What this library was built without, and another may have.
    case JERR_ARITH_NOTIMPL:
    case JERR_BAD_PRECISION:
    case JERR_SOF_UNSUPPORTED:
    case JERR_CONVERSION_NOTIMPL:
    case JERR_NOT_COMPILED:
    case JERR_NOTIMPL:
      errors->leave(Answer::foreign);
    default:
      errors->leave(Answer::broken);
  }
}

// Levels below 0 are warnings.
void JpegReader::warn(j_common_ptr common, int level) {
  if (level >= 0) return;
  auto* errors = static_cast<Errors*>(common->err);
  const auto* info = reinterpret_cast<j_decompress_ptr>(common);
  switch (errors->msg_code) {
    case JWRN_HIT_MARKER:
    case JWRN_HUFF_BAD_CODE:
    case JWRN_ARITH_BAD_CODE:
    case JWRN_MUST_RESYNC:
    // A scan that refines what no scan has given.
    case JWRN_BOGUS_PROGRESSION:
      break;
    case JWRN_EXTRANEOUS_DATA: {
      if (info->input_scan_number == 0) return;
      const int count = errors->msg_parm.i[0];
      const uint8_t* at = info->src->next_input_byte;
      // Of the end that was put behind the file, `at` is another place.
      const bool inside = at > errors->begin && at <= errors->end && count <= at - errors->begin;
      // Before a restart libjpeg's decoder of codes says nothing of so many as it has read ahead, ours of any.
      if (isRestart(errors->msg_parm.i[1]) && count <= mostReadAhead) return;
      if (errors->msg_parm.i[1] == JPEG_EOI && inside && !isData(errors->begin, at - count, at)) return;
      break;
    }
    default:
      return;
  }
  fail(common);
}

// All bytes are given at first, so that there are no more. Of a picture in one scan nothing is missing but the end, unless libjpeg warns that it finds too
// little; of one in several the rest of them may be. An arithmetic decoder does not warn.
boolean JpegReader::endFile(j_decompress_ptr info) {
  const bool oneScan = info->input_scan_number == 1 && !info->progressive_mode && info->comps_in_scan == info->num_components;
  if (!oneScan || info->arith_code) ERREXIT(info, JERR_INPUT_EOF);
  info->src->next_input_byte = endMarker;
  info->src->bytes_in_buffer = sizeof endMarker;
  return TRUE;
}

bool JpegReader::leavesData() const {
  // One that was met, but for a restart's, or the end that was put behind the file: everything was decoded.
  const bool ended = info_.unread_marker != 0 && !isRestart(info_.unread_marker);
  if (ended || source_.next_input_byte == endMarker || source_.next_input_byte == endMarker + sizeof endMarker) return false;
  const uint8_t* from = HuffmanScan::behindLastCode(info_, error_.begin);
  const uint8_t* to = nextMarker(from, error_.end);
  return to == error_.end ? to - from > mostPadding : isData(error_.begin, from, to);
}

void JpegReader::Errors::leave(Answer why) {
  answer = why;
  std::longjmp(jump, 1);
}

// libjpeg calls it for every row of blocks of every scan, and before it gives rows of pixels.
void JpegReader::watch(j_common_ptr info) {
  auto* errors = static_cast<Errors*>(info->err);
  if (errors->stop->load(std::memory_order_relaxed)) errors->leave(Answer::stopped);
  if (reinterpret_cast<j_decompress_ptr>(info)->input_scan_number <= mostScans) return;
  std::snprintf(errors->message, sizeof errors->message, "more than %d scans", mostScans);
  errors->leave(Answer::broken);
}

JpegReader::JpegReader() {
  info_.err = jpeg_std_error(&error_);
  error_.error_exit = fail;
  error_.output_message = [](j_common_ptr) {};
  error_.emit_message = warn;
  if (setjmp(error_.jump) != 0) throw std::bad_alloc();
  jpeg_create_decompress(&info_);
  source_.init_source = [](j_decompress_ptr) {};
  source_.fill_input_buffer = endFile;
  source_.skip_input_data = skipBytes;
  source_.resync_to_restart = jpeg_resync_to_restart;
  source_.term_source = [](j_decompress_ptr) {};
  info_.src = &source_;
  progress_.progress_monitor = watch;
  info_.progress = &progress_;
}

JpegReader::~JpegReader() { jpeg_destroy_decompress(&info_); }

Answer JpegReader::refuse(const char* reason) {
  std::snprintf(error_.message, sizeof error_.message, "%s", reason);
  return Answer::broken;
}

Answer JpegReader::open(const uint8_t* bytes, size_t length, int32_t width, int32_t height, const std::atomic<bool>& stop) {
  close();
  error_.stop = &stop;
  error_.begin = bytes;
  error_.end = bytes + length;
  source_.next_input_byte = bytes;
  source_.bytes_in_buffer = length;
  if (setjmp(error_.jump) != 0) return error_.answer;
  jpeg_read_header(&info_, TRUE);
  if (static_cast<int32_t>(info_.image_width) != width || static_cast<int32_t>(info_.image_height) != height) {
    return refuse("its size is another than when it was opened");
  }
  switch (info_.jpeg_color_space) {
    case JCS_GRAYSCALE:
    case JCS_RGB:
    case JCS_YCbCr:
      return Answer::well;
    default:
      return Answer::foreign;
  }
}

Answer JpegReader::read(int32_t shrink, int32_t left, int32_t top, int32_t right, int32_t bottom, int32_t channels, Buffer& into,
                                    Region& region) {
  if (setjmp(error_.jump) != 0) return error_.answer;
  info_.scale_num = 1;
  info_.scale_denom = shrink;
  info_.out_color_space = channels == 1 ? JCS_GRAYSCALE : JCS_RGB;
  jpeg_start_decompress(&info_);
  scan_.begin(&info_);
  // Two pixels more on each side: chroma that is half as fine is interpolated from its neighbours, and at an edge it has none.
  constexpr int32_t around = 2;
  const auto wide = static_cast<int32_t>(info_.output_width);
  const auto high = static_cast<int32_t>(info_.output_height);
  JDIMENSION from = std::max(0, left - around);
  JDIMENSION width = std::min(wide, right + around) - from;
  if (static_cast<int32_t>(width) < wide) jpeg_crop_scanline(&info_, &from, &width);
  const int32_t first = std::max(0, top - around);
  const int32_t last = std::min(high, bottom);
  region.left = static_cast<int32_t>(from);
  region.top = first;
  region.width = static_cast<int32_t>(width);
  region.height = last - first;
  region.channels = channels;
  region.stride = static_cast<ptrdiff_t>(width) * channels;
  uint8_t* data = into.need(static_cast<size_t>(region.stride) * region.height);
  region.data = data;
  if (first > 0) jpeg_skip_scanlines(&info_, first);
  while (static_cast<int32_t>(info_.output_scanline) < last) {
    // libjpeg gives a few rows at a time at most.
    JSAMPROW rows[8];
    const auto done = static_cast<int32_t>(info_.output_scanline);
    const int32_t count = std::min(8, last - done);
    for (int32_t i = 0; i < count; i++) rows[i] = data + (done - first + i) * region.stride;
    jpeg_read_scanlines(&info_, rows, count);
  }
  scan_.end(&info_);
  // Of several scans libjpeg has read the end already.
  if (last == high && !jpeg_has_multiple_scans(&info_) && leavesData()) return refuse("data left over behind its last row");
  return Answer::well;
}

}  // namespace patchstream
