#include "encode/png_writer.h"

#ifdef PATCHSTREAM_PNG

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>

// As in decode/png.cc: no object with a destructor may live in a frame that is jumped over.

namespace patchstream {

namespace {

// Z_RLE
constexpr int runs = 3;

}  // namespace

void PngWriter::fail(png_structp png, png_const_charp message) {
  auto* self = static_cast<PngWriter*>(png_get_error_ptr(png));
  std::snprintf(self->message_, sizeof self->message_, "%s", message);
  std::longjmp(self->jump_, 1);
}

void PngWriter::append(png_structp png, png_bytep bytes, size_t count) {
  auto* self = static_cast<PngWriter*>(png_get_io_ptr(png));
  Bytes& file = *self->file_;
  const size_t needed = file.size + count;
  if (needed > file.capacity() && !file.grow(std::max(needed, 2 * file.capacity()))) {
    self->short_ = true;
    fail(png, "out of memory");
  }
  std::memcpy(file.data() + file.size, bytes, count);
  file.size = needed;
}

png_voidp PngWriter::allocate(png_structp png, png_alloc_size_t bytes) {
  void* memory = std::malloc(bytes);
  if (memory == nullptr) static_cast<PngWriter*>(png_get_mem_ptr(png))->short_ = true;
  return memory;
}

Answer PngWriter::write(const Page& page, const std::atomic<bool>& stop, Bytes& file) {
  file.size = 0;
  file_ = &file;
  short_ = false;
  // About what a photograph takes.
  const Answer answer = file.grow(page.stride() * page.height / 2 + 1024) ? compress(page, stop) : Answer::memory;
  if (png_ != nullptr) png_destroy_write_struct(&png_, &info_);
  if (answer != Answer::well) file.clear();
  return answer;
}

Answer PngWriter::compress(const Page& page, const std::atomic<bool>& stop) {
  if (setjmp(jump_) != 0) return short_ ? Answer::memory : Answer::broken;
  png_ = png_create_write_struct_2(PNG_LIBPNG_VER_STRING, this, fail, [](png_structp, png_const_charp) {}, this, allocate,
                                   [](png_structp, png_voidp memory) { std::free(memory); });
  if (png_ == nullptr) return Answer::memory;
  info_ = png_create_info_struct(png_);
  if (info_ == nullptr) return Answer::memory;
  png_set_write_fn(png_, this, append, [](png_structp) {});
  const int colours = page.channels == 1 ? PNG_COLOR_TYPE_GRAY : PNG_COLOR_TYPE_RGB;
  png_set_IHDR(png_, info_, page.width, page.height, 8, colours, PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
  png_set_compression_level(png_, 1);
  png_set_compression_strategy(png_, runs);
  png_set_filter(png_, PNG_FILTER_TYPE_BASE, PNG_FILTER_PAETH);
  png_write_info(png_, info_);
  for (int32_t y = 0; y < page.height; y++) {
    if (stop.load(std::memory_order_relaxed)) return Answer::stopped;
    png_write_row(png_, page.data + y * page.stride());
  }
  png_write_end(png_, info_);
  return Answer::well;
}

}  // namespace patchstream

#endif
