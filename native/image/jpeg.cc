#include "jpeg.h"

#include <algorithm>
#include <cstdio>

#include <jerror.h>

// libjpeg reports an error by a jump out of its depths to the function below that called it. No object with a destructor may live in a frame
// that is jumped over: between `setjmp` and the end there are only numbers and pointers.

namespace patchstream {

namespace {

// A few bytes can announce one more scan over the whole picture; encoders write about ten.
constexpr int mostScans = 100;

// All bytes are given at first, so that there are no more: the file ends here.
boolean endOfFile(j_decompress_ptr info) {
  ERREXIT(info, JERR_INPUT_EOF);
  return FALSE;
}

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
  const bool memory = errors->msg_code == JERR_OUT_OF_MEMORY || errors->msg_code == JERR_NO_BACKING_STORE;
  errors->leave(memory ? Answer::memory : Answer::broken);
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
  // Warnings do no harm: an unknown marker, bytes between segments. A file that ends too soon is an error, by the source.
  error_.emit_message = [](j_common_ptr, int) {};
  if (setjmp(error_.jump) != 0) throw std::bad_alloc();
  jpeg_create_decompress(&info_);
  source_.init_source = [](j_decompress_ptr) {};
  source_.fill_input_buffer = endOfFile;
  source_.skip_input_data = skipBytes;
  source_.resync_to_restart = jpeg_resync_to_restart;
  source_.term_source = [](j_decompress_ptr) {};
  info_.src = &source_;
  progress_.progress_monitor = watch;
  info_.progress = &progress_;
}

JpegReader::~JpegReader() { jpeg_destroy_decompress(&info_); }

JpegReader::Answer JpegReader::refuse(const char* reason) {
  std::snprintf(error_.message, sizeof error_.message, "%s", reason);
  return Answer::broken;
}

JpegReader::Answer JpegReader::open(const uint8_t* bytes, size_t length, int32_t width, int32_t height, const std::atomic<bool>& stop) {
  close();
  error_.stop = &stop;
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

JpegReader::Answer JpegReader::read(int32_t shrink, int32_t left, int32_t top, int32_t right, int32_t bottom, int32_t channels, Buffer& into,
                                    Region& region) {
  if (setjmp(error_.jump) != 0) return error_.answer;
  info_.scale_num = 1;
  info_.scale_denom = shrink;
  info_.out_color_space = channels == 1 ? JCS_GRAYSCALE : JCS_RGB;
  jpeg_start_decompress(&info_);
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
  return Answer::well;
}

}  // namespace patchstream
