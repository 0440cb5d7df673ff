#include "render.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <new>

#include "pixels/effects.h"
#include "pixels/luma.h"
#include "pixels/warp.h"

namespace patchstream {

namespace {

// Memory beyond this is given back after the job.
constexpr size_t keptBytes = size_t{64} << 20;

// How many pixels of a side may become one while decoding: eight, four, two or one; others have no vector code in libjpeg-turbo. What is decoded is
// half as large again as what is wanted: the decoder's mean of squares is not the kernel, and without a resize after it that would hide it,
// photographs are 2 to 3.5 of 255 away from those that are decoded whole; so they are 1 to 1.5.
int32_t shrinkFor(int32_t boxAcross, int32_t wantedAcross, int32_t boxDown, int32_t wantedDown) {
  for (const int32_t shrink : {8, 4, 2}) {
    if (2 * int64_t{boxAcross} >= 3 * int64_t{wantedAcross} * shrink && 2 * int64_t{boxDown} >= 3 * int64_t{wantedDown} * shrink) return shrink;
  }
  return 1;
}

// The part [from, from + length) of an upright side, in pixels of a source that lies mirrored or not and was decoded smaller.
void place(Axis& axis, int32_t from, int32_t length, int32_t side, bool mirrored, int32_t shrink) {
  const int32_t begin = mirrored ? side - from - length : from;
  axis.from = static_cast<double>(begin) / shrink;
  axis.to = static_cast<double>(begin + length) / shrink;
  axis.size = JpegReader::shrunk(side, shrink);
  axis.reversed = mirrored;
}

void fill(uint8_t* page, size_t pixels, int32_t colour, int32_t channels) {
  if (channels == 1) {
    std::memset(page, lumaOf((colour >> 16) & 255, (colour >> 8) & 255, colour & 255), pixels);
    return;
  }
  for (size_t i = 0; i < pixels; i++, page += 3) {
    page[0] = static_cast<uint8_t>(colour >> 16);
    page[1] = static_cast<uint8_t>(colour >> 8);
    page[2] = static_cast<uint8_t>(colour);
  }
}

// Asks for the lines of memory under `bytes`, to be written soon.
void fetch(const uint8_t* row, int32_t bytes) {
  constexpr int32_t line = 64;
  for (int32_t at = 0; at < bytes; at += line) __builtin_prefetch(row + at, 1);
}

// Grey to RGB in place: from the back, so that nothing is overwritten before it is read.
void repeatGrey(uint8_t* row, int32_t pixels) {
  for (int32_t x = pixels - 1; x >= 0; x--) row[3 * x] = row[3 * x + 1] = row[3 * x + 2] = row[x];
}

// RGB to luma in place.
void mixGrey(uint8_t* row, int32_t pixels) {
  for (int32_t x = 0; x < pixels; x++) row[x] = lumaOf(row[3 * x], row[3 * x + 1], row[3 * x + 2]);
}

template <int32_t channels>
void transpose(const uint8_t* from, int32_t width, int32_t height, uint8_t* to, ptrdiff_t stride) {
  // In squares, whose rows and columns both stay in the cache.
  constexpr int32_t side = 16;
  for (int32_t top = 0; top < height; top += side) {
    for (int32_t left = 0; left < width; left += side) {
      for (int32_t y = top; y < std::min(top + side, height); y++) {
        for (int32_t x = left; x < std::min(left + side, width); x++) {
          std::memcpy(to + x * stride + y * channels, from + (static_cast<ptrdiff_t>(y) * width + x) * channels, channels);
        }
      }
    }
  }
}

Outcome outcomeOf(Job& job, Answer answer, const char* reason) {
  switch (answer) {
    case Answer::well:
      return Outcome::done;
    case Answer::foreign:
      return Outcome::foreign;
    case Answer::stopped:
      return Outcome::cancelled;
    case Answer::memory:
      return Outcome::memory;
    case Answer::broken:
      break;
  }
  job.message = reason;
  return Outcome::broken;
}

Outcome madeOf(Job& job, Answer answer, const char* reason) {
  return answer == Answer::well ? Outcome::encoded : outcomeOf(job, answer, reason);
}

}  // namespace

Renderer::Turn Renderer::turnOf(int32_t orientation) {
  return {orientation > 4, orientation == 2 || orientation == 3 || orientation == 6 || orientation == 7,
          orientation == 3 || orientation == 4 || orientation == 7 || orientation == 8};
}

void Renderer::run(Job& job) {
  try {
    job.outcome = attempt(job);
  } catch (const std::bad_alloc&) {
    job.outcome = Outcome::memory;
  }
  jpeg_.close();
  jpeg_.trim(keptBytes);
#ifdef PATCHSTREAM_PNG
  png_.close();
  png_.trim(keptBytes);
#endif
#ifdef PATCHSTREAM_WEBP
  webp_.trim(keptBytes);
#endif
  if (jpegWriter_.has_value()) jpegWriter_->trim(keptBytes);
#ifdef PATCHSTREAM_DEFLATE
  pngWriter_.trim(keptBytes);
#endif
  decoded_.trim(keptBytes);
  turned_.trim(keptBytes);
  for (const auto& page : pages_) page->trim(keptBytes);
}

Outcome Renderer::attempt(Job& job) {
  while (pages_.size() < job.steps.size()) pages_.push_back(std::make_unique<Buffer>());
  for (size_t i = 0; i < job.steps.size(); i++) {
    if (job.cancelled()) return Outcome::cancelled;
    const Step& step = job.steps[i];
    Region source;
    Turn turn;
    if (step.source >= 0) {
      const Step& earlier = job.steps[step.source];
      source.data = earlier.output >= 0 ? job.outputs[earlier.output] : pages_[step.source]->need(0);
      source.width = earlier.pageWidth;
      source.height = earlier.pageHeight;
      source.stride = static_cast<ptrdiff_t>(source.width) * 3;
    } else if (!isRaw(job.kind)) {
      turn = turnOf(job.orientation);
      const Outcome outcome = decode(job, step, turn, source);
      if (outcome != Outcome::done) return outcome;
    } else {
      source.data = job.bytes;
      source.width = job.width;
      source.height = job.height;
      source.channels = job.kind == Kind::rgb ? 3 : 1;
      source.stride = static_cast<ptrdiff_t>(source.width) * source.channels;
    }
    if (step.work == Work::scale && (step.source >= 0 || isRaw(job.kind))) prepare(step, turn, source.width, source.height, 1);
    uint8_t* page = step.output >= 0 ? job.outputs[step.output] : pages_[i]->need(step.pageBytes());
    // Also for a page in the thread's memory, since its source may be an output.
    const Touch touch(job);
    const bool done = touch.granted && (step.work == Work::scale ? draw(job, step, turn, source, page) : change(job, step, source, page));
    if (!done) return Outcome::cancelled;
  }
  return job.encoding.format == Format::none ? Outcome::done : encode(job);
}

Outcome Renderer::encode(Job& job) {
  const Step& step = job.steps.back();
  const Page page{pages_[job.steps.size() - 1]->need(0), step.pageWidth, step.pageHeight, step.channels};
#ifdef PATCHSTREAM_DEFLATE
  if (job.encoding.format == Format::png) return madeOf(job, pngWriter_.write(page, job.unwanted, job.encoded), "");
#endif
  if (!jpegWriter_.has_value()) jpegWriter_.emplace();
  return madeOf(job, jpegWriter_->write(page, job.encoding, job.unwanted, job.encoded), jpegWriter_->reason());
}

template <class Reader>
Outcome Renderer::decodeBy(Reader& reader, Job& job, const Step& step, const Turn& turn, Region& region) {
  Answer answer = reader.open(job.bytes, job.length, job.width, job.height, job.unwanted);
  if (answer == Answer::well) {
    prepareFile(job, step, turn, 1);
    answer = reader.read(across_.low(), down_.low(), across_.high(), down_.high(), job.background, decoded_, region);
  }
  return outcomeOf(job, answer, reader.reason());
}

Outcome Renderer::decode(Job& job, const Step& step, const Turn& turn, Region& region) {
#ifdef PATCHSTREAM_PNG
  if (job.kind == Kind::png) return decodeBy(png_, job, step, turn, region);
#endif
#ifdef PATCHSTREAM_WEBP
  if (job.kind == Kind::webp) return decodeBy(webp_, job, step, turn, region);
#endif
  return decodeJpeg(job, step, turn, region);
}

Outcome Renderer::decodeJpeg(Job& job, const Step& step, const Turn& turn, Region& region) {
  Answer answer = jpeg_.open(job.bytes, job.length, job.width, job.height, job.unwanted);
  if (answer == Answer::well) {
    const int32_t shrink = shrinkFor(step.box.width, step.resizedWidth, step.box.height, step.resizedHeight);
    prepareFile(job, step, turn, shrink);
    answer = jpeg_.read(shrink, across_.low(), down_.low(), across_.high(), down_.high(), step.channels, decoded_, region);
  }
  return outcomeOf(job, answer, jpeg_.reason());
}

// As `prepare`, of the file of a job.
void Renderer::prepareFile(const Job& job, const Step& step, const Turn& turn, int32_t shrink) {
  prepare(step, turn, turn.transposed ? job.height : job.width, turn.transposed ? job.width : job.height, shrink);
}

// Works out the weights of both sides; `width` and `height` are the upright source's.
void Renderer::prepare(const Step& step, const Turn& turn, int32_t width, int32_t height, int32_t shrink) {
  Axis x;
  x.resized = step.resizedWidth;
  x.first = step.window.left;
  x.count = step.window.width;
  x.mirrored = step.mirrored != 0;
  x.kernel = step.kernel;
  place(x, step.box.left, step.box.width, width, turn.mirroredX, shrink);
  Axis y;
  y.resized = step.resizedHeight;
  y.first = step.window.top;
  y.count = step.window.height;
  y.kernel = step.kernel;
  place(y, step.box.top, step.box.height, height, turn.mirroredY, shrink);
  across_.make(turn.transposed ? y : x);
  down_.make(turn.transposed ? x : y);
}

bool Renderer::draw(const Job& job, const Step& step, const Turn& turn, const Region& source, uint8_t* page) {
  const bool covered = step.window.width == step.pageWidth && step.window.height == step.pageHeight;
  const int32_t channels = step.channels;
  if (!covered) fill(page, static_cast<size_t>(step.pageWidth) * step.pageHeight, step.background, channels);
  const ptrdiff_t stride = static_cast<ptrdiff_t>(step.pageWidth) * channels;
  uint8_t* corner = page + step.padTop * stride + static_cast<ptrdiff_t>(step.padLeft) * channels;
  if (!turn.transposed) return scale(job, source, corner, stride, channels);
  const int32_t width = across_.count();
  const int32_t height = down_.count();
  uint8_t* lying = turned_.need(static_cast<size_t>(width) * height * channels);
  if (!scale(job, source, lying, static_cast<ptrdiff_t>(width) * channels, channels)) return false;
  (channels == 1 ? transpose<1> : transpose<3>)(lying, width, height, corner, stride);
  return true;
}

// Row by row, so that a job is left soon.
bool Renderer::change(const Job& job, const Step& step, const Region& source, uint8_t* page) {
  const int32_t width = step.window.width;
  const ptrdiff_t stride = static_cast<ptrdiff_t>(width) * step.channels;
  uint8_t* row = step.channels == 1 ? row_.need(static_cast<size_t>(width) * 3) : nullptr;
  const Warp warp{source.data, source.width, source.height, step.matrix, step.background};
  Effect effect(step, source.data, source.width, source.height);
  if (step.work != Work::warp && !effect.prepare([&job] { return !job.cancelled(); })) return false;
  for (int32_t y = 0; y < step.window.height; y++, page += stride) {
    if (job.cancelled()) return false;
    uint8_t* out = row != nullptr ? row : page;
    if (step.work == Work::warp) warp.draw(step.window.top + y, step.window.left, width, step.mirrored != 0, out);
    else effect.draw(y, out);
    if (row == nullptr) continue;
    mixGrey(row, width);
    std::memcpy(page, row, static_cast<size_t>(width));
  }
  return true;
}

// Resizes the source by `across_` and `down_`: every row of the output is first summed from rows of the source, while it is still wide, and then
// brought to its width.
bool Renderer::scale(const Job& job, const Region& source, uint8_t* out, ptrdiff_t stride, int32_t wanted) {
  const Passes& pass = passes();
  const int32_t low = across_.low();
  const int32_t width = across_.high() - low;
  const int32_t channels = source.channels;
  uint8_t* row = row_.need(static_cast<size_t>(width) * 3);
  // Taps count from the left of the whole picture.
  const uint8_t* origin = row - static_cast<ptrdiff_t>(low) * wanted;
  const uint8_t* data = source.data + static_cast<ptrdiff_t>(low - source.left) * channels;
  // As for the faces of a picture, which is looked through as it is.
  const int32_t copied = across_.copied();
  for (int32_t y = 0; y < down_.count(); y++, out += stride) {
    if (job.cancelled()) return false;
    // Cells are written once round the ring and are in no cache by then; fetched a row ahead, their lines are there when they are written.
    if (y + 1 < down_.count()) fetch(out + stride, across_.count() * wanted);
    const uint8_t* rows = data + (down_.first(y) - source.top) * source.stride;
    pass.vertical(rows, source.stride, down_.weights(y), down_.taps(y), down_.shift(), row, width * channels);
    if (channels == 1 && wanted == 3) repeatGrey(row, width);
    if (channels == 3 && wanted == 1) mixGrey(row, width);
    if (copied >= 0) std::memcpy(out, origin + static_cast<ptrdiff_t>(copied) * wanted, static_cast<size_t>(across_.count()) * wanted);
    else if (wanted == 1) horizontalGrey(origin, across_, out);
    else pass.horizontal(origin, across_, out);
  }
  return true;
}

}  // namespace patchstream
