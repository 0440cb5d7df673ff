#include "sound.h"

#include <algorithm>
#include <cmath>

#include "encode/jpeg/writer.h"

namespace patchstream {

namespace {

constexpr int32_t longestSide = 65535;

bool isSize(int32_t width, int32_t height) { return width > 0 && height > 0 && width <= longestSide && height <= longestSide; }

bool isIn(int32_t value, int32_t least, int32_t most) { return value >= least && value <= most; }

// Whether the numbers of an effect, or the matrix of a warp, are such that it can be done to a page of that size.
bool isWork(const Step& step, int32_t width, int32_t height) {
  const int32_t first = step.numbers[0];
  switch (step.work) {
    case Work::scale:
    case Work::autoContrast:
    case Work::equalize:
      return true;
    case Work::warp:
    case Work::affine:
      return std::all_of(step.matrix, step.matrix + 6, [](float value) { return std::isfinite(value); });
    case Work::posterize:
      return isIn(first, 0, 8);
    case Work::solarize:
      return isIn(first, 0, 256);
    case Work::solarizeAdd:
    case Work::hue:
      return isIn(first, 0, 255);
    case Work::brightness:
    case Work::contrast:
    case Work::saturation:
    case Work::sharpness:
      return isIn(first, 0, 100 << 16);
    case Work::blur:
      return isIn(first, 655, 100 << 16);
    case Work::noise:
    case Work::fill:
      return Box{first, step.numbers[1], step.numbers[2], step.numbers[3]}.within(width, height);
  }
  return false;
}

// Whether what a step does is well. Its source has that size.
bool isDoable(const Step& step, int32_t width, int32_t height) {
  if (step.work == Work::scale) return true;
  const bool whole = step.box.width == width && step.box.height == height;
  const bool covers = step.window.width == step.pageWidth && step.window.height == step.pageHeight;
  // A warp brings its source to another size; an effect does not.
  const bool same = step.work == Work::warp || (step.pageWidth == width && step.pageHeight == height && step.mirrored == 0);
  return step.source >= 0 && whole && covers && same && isWork(step, width, height);
}

// Whether the last step's page can become the file that is wanted.
bool isEncodable(const Job& job, size_t outputs) {
  if (outputs != 0) return false;
  const Step& last = job.steps.back();
  const Encoding& encoding = job.encoding;
#ifdef PATCHSTREAM_DEFLATE
  if (encoding.format == Format::png) return true;
#endif
  return encoding.format == Format::jpeg && encoding.quality >= 1 && encoding.quality <= 100 &&
         std::max(last.pageWidth, last.pageHeight) <= JpegWriter::longestSide;
}

}  // namespace

bool isSound(const Job& job, const std::vector<size_t>& lengths) {
  const bool known = isDecoded(job.kind) || isRaw(job.kind);
  if (!known || !isSize(job.width, job.height) || job.orientation < 1 || job.orientation > 8 || job.steps.empty()) return false;
  const size_t pixels = static_cast<size_t>(job.width) * job.height;
  if (isRaw(job.kind) && (job.orientation != 1 || job.length != pixels * (job.kind == Kind::rgb ? 3 : 1))) return false;
  const bool transposed = job.orientation > 4;
  for (size_t i = 0; i < job.steps.size(); i++) {
    const Step& step = job.steps[i];
    if (step.source < -1 || step.source >= static_cast<int32_t>(i)) return false;
    if (step.channels != 3 && step.channels != 1) return false;
    if (step.source >= 0 && job.steps[step.source].channels != 3) return false;
    if (step.output < -1 || step.output >= static_cast<int32_t>(lengths.size())) return false;
    const int32_t width = step.source < 0 ? (transposed ? job.height : job.width) : job.steps[step.source].pageWidth;
    const int32_t height = step.source < 0 ? (transposed ? job.width : job.height) : job.steps[step.source].pageHeight;
    const Box onPage{step.padLeft, step.padTop, step.window.width, step.window.height};
    const bool fits = step.box.within(width, height) && step.resizedWidth > 0 && step.resizedHeight > 0 &&
                      step.window.within(step.resizedWidth, step.resizedHeight) && isSize(step.pageWidth, step.pageHeight) &&
                      onPage.within(step.pageWidth, step.pageHeight) &&
                      (step.kernel == Kernel::bilinear || step.kernel == Kernel::bicubic);
    if (!fits || !isDoable(step, width, height)) return false;
    if (step.output >= 0 && lengths[step.output] != step.pageBytes()) return false;
  }
  return job.encoding.format == Format::none || isEncodable(job, lengths.size());
}

}  // namespace patchstream
