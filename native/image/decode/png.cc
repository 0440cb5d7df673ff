#include "decode/png.h"

#ifdef PATCHSTREAM_PNG

#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "decode/lay.h"
#include "pixels/resize.h"

// libpng reports an error by a call that may not return, which here jumps to the function below that called libpng. No object with a destructor may live in a
// frame that is jumped over: between `setjmp` and the end there are only numbers and pointers.

namespace patchstream {

namespace {

// What is read of a file: its pixels, palette and transparency. All else is skipped, whatever is in it.
constexpr png_byte skipped[] = "bKGD\0cHRM\0cICP\0cLLi\0eXIf\0gAMA\0hIST\0iCCP\0iTXt\0mDCv\0oFFs\0pCAL\0pHYs\0sBIT\0sCAL\0sPLT\0sRGB\0sTER\0tEXt\0tIME\0zTXt";
constexpr int skippedCount = sizeof skipped / 5;
static_assert(sizeof skipped % 5 == 0, "names of four letters and a zero");

// The longest side that is rendered.
constexpr png_uint_32 longestSide = 65535;

}  // namespace

void PngReader::leave(Answer why) {
  answer_ = why;
  std::longjmp(jump_, 1);
}

void PngReader::fail(png_structp png, png_const_charp message) {
  auto* self = static_cast<PngReader*>(png_get_error_ptr(png));
  std::snprintf(self->message_, sizeof self->message_, "%s", message);
  self->leave(self->short_ ? Answer::memory : Answer::broken);
}

// Of what libpng tolerates, two mean other pixels than were written: their sum is wrong, or that of what says which are transparent.
void PngReader::warn(png_structp png, png_const_charp message) {
  if (std::strstr(message, "incorrect data check") != nullptr || std::strstr(message, "tRNS: CRC") != nullptr) fail(png, message);
}

void PngReader::give(png_structp png, png_bytep into, size_t count) {
  auto* self = static_cast<PngReader*>(png_get_io_ptr(png));
  if (self->stop_->load(std::memory_order_relaxed)) self->leave(Answer::stopped);
  if (count > static_cast<size_t>(self->end_ - self->at_)) fail(png, "the file ends before its last row");
  std::memcpy(into, self->at_, count);
  self->at_ += count;
}

png_voidp PngReader::allocate(png_structp png, png_alloc_size_t bytes) {
  void* memory = std::malloc(bytes);
  if (memory == nullptr) static_cast<PngReader*>(png_get_mem_ptr(png))->short_ = true;
  return memory;
}

void PngReader::close() {
  if (png_ != nullptr) png_destroy_read_struct(&png_, &info_, nullptr);
}

Answer PngReader::open(const uint8_t* bytes, size_t length, int32_t width, int32_t height, const std::atomic<bool>& stop) {
  close();
  at_ = bytes;
  end_ = bytes + length;
  stop_ = &stop;
  short_ = false;
  if (setjmp(jump_) != 0) return answer_;
  png_ = png_create_read_struct_2(PNG_LIBPNG_VER_STRING, this, fail, warn, this, allocate, [](png_structp, png_voidp memory) { std::free(memory); });
  if (png_ == nullptr) return Answer::memory;
  info_ = png_create_info_struct(png_);
  if (info_ == nullptr) return Answer::memory;
  png_set_read_fn(png_, this, give);
  png_set_user_limits(png_, longestSide, longestSide);
  png_set_keep_unknown_chunks(png_, PNG_HANDLE_CHUNK_NEVER, nullptr, 0);
  png_set_keep_unknown_chunks(png_, PNG_HANDLE_CHUNK_NEVER, skipped, skippedCount);
  png_read_info(png_, info_);
  if (static_cast<int32_t>(png_get_image_width(png_, info_)) != width || static_cast<int32_t>(png_get_image_height(png_, info_)) != height) {
    fail(png_, "its size is another than when it was opened");
  }
  return Answer::well;
}

uint8_t* PngReader::shape(int32_t left, int32_t top, int32_t right, int32_t bottom, int32_t channels, Buffer& into, Region& region) {
  region.left = left;
  region.top = top;
  region.width = right - left;
  region.height = bottom - top;
  region.channels = channels == 1 ? 1 : 3;
  region.stride = static_cast<ptrdiff_t>(region.width) * region.channels;
  uint8_t* out = into.need(static_cast<size_t>(region.stride) * region.height);
  region.data = out;
  return out;
}

void PngReader::lay(const uint8_t* row, int32_t channels, int32_t background, const Region& region, uint8_t* to) {
  const uint8_t* from = row + static_cast<size_t>(region.left) * channels;
  if ((channels & 1) == 1) std::memcpy(to, from, region.stride);
  else layOn(from, region.width, channels, background, to);
}

Answer PngReader::read(int32_t left, int32_t top, int32_t right, int32_t bottom, int32_t background, Buffer& into, Region& region) {
  if (setjmp(jump_) != 0) return answer_;
#ifdef PATCHSTREAM_PNG_ROWS
  if (const int32_t plain = plainChannels(); plain > 0) {
    uint8_t* out = shape(left, top, right, bottom, plain, into, region);
    const Answer answer = readPlain(background, plain, region, out);
    if (answer != Answer::broken) return answer;
  }
#endif
  png_set_expand(png_);
  png_set_strip_16(png_);
  const int32_t passes = png_set_interlace_handling(png_);
  png_read_update_info(png_, info_);
  const int32_t channels = png_get_channels(png_, info_);
  const size_t rowBytes = png_get_rowbytes(png_, info_);
  const auto high = static_cast<int32_t>(png_get_image_height(png_, info_));
  uint8_t* out = shape(left, top, right, bottom, channels, into, region);
  // Rows that lie as they are wanted are unpacked where they belong.
  const bool whole = rowBytes == static_cast<size_t>(region.stride) && passes == 1 && (channels & 1) == 1;
  uint8_t* rows = whole ? nullptr : rows_.need(passes == 1 ? rowBytes : rowBytes * region.height);
  if (passes > 1) readPasses(passes, top, bottom, high, rows, rowBytes);
  for (int32_t y = passes > 1 ? top : 0; y < bottom; y++) {
    const bool wanted = y >= top;
    uint8_t* to = out + (wanted ? y - top : 0) * region.stride;
    uint8_t* row = whole ? to : rows + (passes > 1 ? (y - top) * rowBytes : 0);
    if (passes == 1) png_read_row(png_, wanted ? row : nullptr, nullptr);
    if (wanted && !whole) lay(row, channels, background, region, to);
  }
  return Answer::well;
}

#ifdef PATCHSTREAM_PNG_ROWS

int32_t PngReader::plainChannels() const {
  if (arePassesPortable()) return 0;
  const bool isPlain = png_get_bit_depth(png_, info_) == 8 && png_get_color_type(png_, info_) != PNG_COLOR_TYPE_PALETTE &&
                       png_get_valid(png_, info_, PNG_INFO_tRNS) == 0 && png_get_interlace_type(png_, info_) == PNG_INTERLACE_NONE;
  return isPlain ? png_get_channels(png_, info_) : 0;
}

Answer PngReader::readPlain(int32_t background, int32_t channels, const Region& region, uint8_t* out) {
  const size_t wanted = static_cast<size_t>(region.left + region.width) * channels;
  const int32_t bottom = region.top + region.height;
  // libpng has read the length and the name of the first chunk of pixels.
  if (!plain_.open(at_ - 8, end_, png_get_rowbytes(png_, info_), wanted, channels)) return Answer::broken;
  for (int32_t y = 0; y < bottom; y++) {
    if (stop_->load(std::memory_order_relaxed)) return Answer::stopped;
    const uint8_t* row = plain_.next();
    if (row == nullptr) return Answer::broken;
    if (y >= region.top) lay(row, channels, background, region, out + (y - region.top) * region.stride);
  }
  const bool isWhole = bottom == static_cast<int32_t>(png_get_image_height(png_, info_));
  return isWhole && !plain_.ended() ? Answer::broken : Answer::well;
}

#endif

void PngReader::readPasses(int32_t passes, int32_t top, int32_t bottom, int32_t high, uint8_t* rows, size_t rowBytes) {
  for (int32_t pass = 0; pass < passes; pass++) {
    const int32_t end = pass + 1 == passes ? bottom : high;
    for (int32_t y = 0; y < end; y++) {
      const bool wanted = y >= top && y < bottom;
      png_read_row(png_, wanted ? rows + (y - top) * rowBytes : nullptr, nullptr);
    }
  }
}

}  // namespace patchstream

#endif
