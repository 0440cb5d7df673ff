#include "harness.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>
#include <optional>
#include <vector>

#include "records.h"
#include "sound.h"

namespace sanitize {

namespace {

using patchstream::Box;
using patchstream::Job;
using patchstream::Kind;
using patchstream::Outcome;
using patchstream::Step;
using patchstream::Work;

// Of a picture's header, as `maxPixels` limits it.
constexpr int64_t mostPixels = int64_t{1} << 22;

Box boxIn(Chance& chance, int32_t width, int32_t height) {
  if (chance.oneIn(4)) return {0, 0, width, height};
  const int32_t wide = 1 + static_cast<int32_t>(chance.below(width));
  const int32_t high = 1 + static_cast<int32_t>(chance.below(height));
  return {static_cast<int32_t>(chance.below(width - wide + 1)), static_cast<int32_t>(chance.below(height - high + 1)), wide, high};
}

// Mostly what models see, sometimes very small, sometimes longer than wide.
int32_t sideOf(Chance& chance) {
  if (chance.oneIn(8)) return 1 + static_cast<int32_t>(chance.below(3));
  return chance.oneIn(16) ? 1 + static_cast<int32_t>(chance.below(700)) : 1 + static_cast<int32_t>(chance.below(96));
}

// Looks its pixels up in the whole source: in or around it, or anywhere.
void warp(Chance& chance, Step& step, Size from) {
  step.work = Work::warp;
  step.box = {0, 0, from.width, from.height};
  step.padLeft = 0;
  step.padTop = 0;
  step.pageWidth = step.window.width;
  step.pageHeight = step.window.height;
  const auto number = [&](float least, float most) { return least + (most - least) * static_cast<float>(chance.below(1 << 16)) / (1 << 16); };
  const float far = chance.oneIn(8) ? 1e30F : 2;
  const auto width = static_cast<float>(from.width);
  const auto height = static_cast<float>(from.height);
  const float matrix[6] = {number(-far, far), number(-far, far), number(-width, 2 * width), number(-far, far), number(-far, far), number(-height, 2 * height)};
  std::memcpy(step.matrix, matrix, sizeof matrix);
}

// An effect on the whole source, with numbers that it can have.
void effect(Chance& chance, Step& step, Size from) {
  // Its affine map is drawn as that of a warp.
  step.window = {0, 0, from.width, from.height};
  warp(chance, step, from);
  step.resizedWidth = from.width;
  step.resizedHeight = from.height;
  step.mirrored = 0;
  step.work = static_cast<Work>(2 + chance.below(14));
  const auto up = [&](int32_t most) { return static_cast<int32_t>(chance.below(static_cast<uint32_t>(most) + 1)); };
  switch (step.work) {
    case Work::posterize:
      step.numbers[0] = up(8);
      break;
    case Work::solarize:
    case Work::solarizeAdd:
    case Work::hue:
      step.numbers[0] = up(255);
      break;
    case Work::brightness:
    case Work::contrast:
    case Work::saturation:
    case Work::sharpness:
      step.numbers[0] = chance.oneIn(4) ? 100 << 16 : up(3 << 16);
      break;
    case Work::blur:
      step.numbers[0] = chance.oneIn(64) ? 100 << 16 : 655 + up(3 << 16);
      break;
    case Work::noise:
    case Work::fill: {
      const Box box = boxIn(chance, from.width, from.height);
      const int32_t numbers[6] = {box.left, box.top, box.width, box.height, up(1 << 30), up(1 << 30)};
      std::memcpy(step.numbers, numbers, sizeof numbers);
      break;
    }
    default:
      break;
  }
}

Step stepOn(Chance& chance, int32_t source, Size from, int32_t output) {
  Step step{};
  step.source = source;
  step.output = output;
  step.box = boxIn(chance, from.width, from.height);
  const bool same = chance.oneIn(8) && int64_t{step.box.width} * step.box.height < 1 << 18;
  step.resizedWidth = same ? step.box.width : sideOf(chance);
  step.resizedHeight = same ? step.box.height : sideOf(chance);
  step.kernel = chance.oneIn(2) ? patchstream::Kernel::bilinear : patchstream::Kernel::bicubic;
  step.window = boxIn(chance, step.resizedWidth, step.resizedHeight);
  step.mirrored = static_cast<int32_t>(chance.below(2));
  step.padLeft = chance.oneIn(3) ? static_cast<int32_t>(chance.below(9)) : 0;
  step.padTop = chance.oneIn(3) ? static_cast<int32_t>(chance.below(9)) : 0;
  step.pageWidth = step.window.width + step.padLeft + (chance.oneIn(3) ? static_cast<int32_t>(chance.below(9)) : 0);
  step.pageHeight = step.window.height + step.padTop + (chance.oneIn(3) ? static_cast<int32_t>(chance.below(9)) : 0);
  step.background = static_cast<int32_t>(chance.below(1 << 24));
  step.channels = chance.oneIn(6) ? 1 : 3;
  if (source >= 0 && chance.oneIn(3)) warp(chance, step, from);
  else if (source >= 0 && chance.oneIn(2)) effect(chance, step, from);
  return step;
}

// A file is made of the last page; where nothing makes files of its format the job is refused.
void encode(Chance& chance, Job& job) {
  job.encoding.format = chance.oneIn(2) ? patchstream::Format::jpeg : patchstream::Format::png;
  job.encoding.quality = static_cast<int32_t>(chance.below(102));
  job.encoding.subsampled = chance.oneIn(2);
}

// One number of a step becomes another: what the caller's checks must refuse, or what is still sound.
void disturb(Chance& chance, Step& step) {
  static const int32_t numbers[] = {-1, 0, 1, 2, 65535, 65536, INT32_MAX, INT32_MIN, 1000};
  int32_t ints[patchstream::stepInts];
  std::memcpy(ints, &step, sizeof step);
  ints[chance.below(patchstream::stepInts)] = numbers[chance.below(std::size(numbers))];
  std::memcpy(&step, ints, sizeof step);
}

[[noreturn]] void give(const char* what) {
  std::fprintf(stderr, "%s\n", what);
  std::abort();
}

Answer answerOf(Outcome outcome, const Job& job) {
  switch (outcome) {
    case Outcome::done:
      return done;
    case Outcome::encoded:
      if (job.encoded.size == 0) give("an empty file");
      return done;
    case Outcome::broken:
      if (job.message.empty()) give("a broken file without a message");
      return broken;
    case Outcome::foreign:
      return foreign;
    case Outcome::memory:
      return memory;
    default:
      give("an outcome that nobody asked for");
  }
}

// Small pictures that lie in `given` one after another, rendered alike; at times numbers of records that are not there.
Answer renderAlike(patchstream::Renderer& renderer, const uint8_t* given, size_t length, Chance& chance) {
  Job job;
  job.kind = chance.oneIn(2) ? Kind::grey : Kind::rgb;
  job.width = static_cast<int32_t>(1 + chance.below(32));
  job.height = static_cast<int32_t>(1 + chance.below(32));
  Size from{job.width, job.height};
  const int32_t steps = 1 + static_cast<int32_t>(chance.below(2));
  for (int32_t i = 0; i < steps; i++) {
    job.steps.push_back(stepOn(chance, i - 1, from, i + 1 == steps ? 0 : -1));
    from = {job.steps[i].pageWidth, job.steps[i].pageHeight};
  }
  const size_t present = length / (static_cast<size_t>(job.width) * job.height * (job.kind == Kind::rgb ? 3 : 1));
  const bool beyond = chance.oneIn(16);
  std::vector<int32_t> indices(chance.below(6));
  if (present == 0 && !beyond) indices.clear();
  for (int32_t& index : indices) index = static_cast<int32_t>(chance.below(static_cast<uint32_t>(present + beyond)));
  if (beyond && chance.oneIn(4)) indices.push_back(-1);
  const size_t room = job.steps.back().pageBytes() * indices.size();
  std::unique_ptr<uint8_t[]> data(new uint8_t[length]);
  std::memcpy(data.get(), given, length);
  std::unique_ptr<uint8_t[]> out(new uint8_t[room]);
  const size_t missing = room > 0 && chance.oneIn(16) ? 1 : 0;
  const patchstream::Records records{data.get(), length, indices.data(), indices.size(), out.get(), room - missing};
  const std::optional<Outcome> outcome = patchstream::renderAlike(renderer, job, records);
  return outcome.has_value() ? answerOf(*outcome, job) : refused;
}

int32_t big(const uint8_t* at) { return static_cast<int32_t>(uint32_t{at[0]} << 24 | at[1] << 16 | at[2] << 8 | at[3]); }

Size pngSize(const uint8_t* bytes, size_t length) {
  if (length < 24) return {};
  const Size size{big(bytes + 16), big(bytes + 20)};
  return size.width <= 65535 && size.height <= 65535 ? size : Size{};
}

Size webpSize(const uint8_t* bytes, size_t length) {
  if (length < 30) return {};
  const uint8_t* at = bytes + 20;
  if (bytes[15] == 'X') return {1 + (at[4] | at[5] << 8 | at[6] << 16), 1 + (at[7] | at[8] << 8 | at[9] << 16)};
  if (bytes[15] == 'L') return {1 + ((at[1] | at[2] << 8) & 0x3fff), 1 + ((at[2] >> 6 | at[3] << 2 | at[4] << 10) & 0x3fff)};
  return {(at[6] | at[7] << 8) & 0x3fff, (at[8] | at[9] << 8) & 0x3fff};
}

Size jpegSize(const uint8_t* bytes, size_t length) {
  for (size_t at = 2; at + 9 <= length;) {
    if (bytes[at] != 0xff) return {};
    const uint8_t kind = bytes[at + 1];
    if (kind == 0xff) {
      at++;
      continue;
    }
    const bool frame = kind >= 0xc0 && kind <= 0xcf && kind != 0xc4 && kind != 0xc8 && kind != 0xcc;
    if (frame) {
      return {bytes[at + 7] << 8 | bytes[at + 8], bytes[at + 5] << 8 | bytes[at + 6]};
    }
    at += 2 + (static_cast<size_t>(bytes[at + 2]) << 8 | bytes[at + 3]);
  }
  return {};
}

}  // namespace

const char* const answerNames[answers] = {"done", "broken", "foreign", "cancelled", "memory", "refused"};

patchstream::Kind kindOf(const uint8_t* bytes, size_t length) {
  if (length > 8 && bytes[0] == 0x89 && patchstream::isDecoded(Kind::png)) return Kind::png;
  return length > 8 && bytes[0] == 'R' && patchstream::isDecoded(Kind::webp) ? Kind::webp : Kind::jpeg;
}

Size sizeOf(const uint8_t* bytes, size_t length) {
  const Kind kind = kindOf(bytes, length);
  const Size size = kind == Kind::png ? pngSize(bytes, length) : kind == Kind::webp ? webpSize(bytes, length) : jpegSize(bytes, length);
  return size.width > 0 && size.height > 0 && int64_t{size.width} * size.height <= mostPixels ? size : Size{};
}

void resum(uint8_t* bytes, size_t length) {
  for (size_t at = 8; at + 12 <= length;) {
    const auto size = static_cast<uint32_t>(big(bytes + at));
    if (size > length - at - 12) return;
    uint32_t crc = 0xffffffff;
    for (size_t i = at + 4; i < at + 8 + size; i++) {
      crc ^= bytes[i];
      for (int bit = 0; bit < 8; bit++) crc = (crc >> 1) ^ ((crc & 1) != 0 ? 0xedb88320 : 0);
    }
    for (int i = 0; i < 4; i++) bytes[at + 8 + size + i] = static_cast<uint8_t>(~crc >> (24 - 8 * i));
    at += 12 + size_t{size};
  }
}

Answer render(patchstream::Renderer& used, const uint8_t* given, size_t length, Chance& chance) {
  // What a picture before has left in memory can hide a fault.
  std::optional<patchstream::Renderer> fresh;
  if (chance.oneIn(8)) fresh.emplace();
  patchstream::Renderer& renderer = fresh.has_value() ? *fresh : used;
  if (length > 0 && chance.oneIn(16)) return renderAlike(renderer, given, length, chance);
  Size size = sizeOf(given, length);
  Job job;
  job.kind = kindOf(given, length);
  job.background = static_cast<int32_t>(chance.below(1 << 24));
  if (chance.oneIn(8)) {
    // The same bytes as raw pixels.
    job.kind = chance.oneIn(2) ? Kind::grey : Kind::rgb;
    const size_t pixels = length / (job.kind == Kind::rgb ? 3 : 1);
    if (pixels == 0) return refused;
    size.width = static_cast<int32_t>(1 + chance.below(static_cast<uint32_t>(std::min<size_t>(pixels, 300))));
    size.height = static_cast<int32_t>(std::min<size_t>(pixels / size.width, 65535));
    length = static_cast<size_t>(size.width) * size.height * (job.kind == Kind::rgb ? 3 : 1);
  } else {
    if (size.width == 0) size = {static_cast<int32_t>(1 + chance.below(64)), static_cast<int32_t>(1 + chance.below(64))};
    job.orientation = static_cast<int32_t>(1 + chance.below(8));
  }
  std::unique_ptr<uint8_t[]> bytes(new uint8_t[length]);
  if (length > 0) std::memcpy(bytes.get(), given, length);
  job.bytes = bytes.get();
  job.length = length;
  job.width = size.width;
  job.height = size.height;

  const bool turned = job.orientation > 4;
  const Size upright = turned ? Size{size.height, size.width} : size;
  std::vector<std::unique_ptr<uint8_t[]>> outputs;
  std::vector<size_t> lengths;
  const uint32_t steps = 1 + (chance.oneIn(3) ? chance.below(3) : 0);
  const bool encodes = chance.oneIn(4);
  if (encodes) encode(chance, job);
  for (uint32_t i = 0; i < steps; i++) {
    const bool shown = !encodes && (i + 1 == steps || chance.oneIn(2));
    const int32_t source = i > 0 && !chance.oneIn(4) ? static_cast<int32_t>(chance.below(i)) : -1;
    const Size from = source < 0 ? upright : Size{job.steps[source].pageWidth, job.steps[source].pageHeight};
    Step step = stepOn(chance, source, from, shown ? static_cast<int32_t>(outputs.size()) : -1);
    if (shown) {
      lengths.push_back(step.pageBytes());
      outputs.emplace_back(new uint8_t[lengths.back()]);
      job.outputs.push_back(outputs.back().get());
    }
    job.steps.push_back(step);
  }
  if (chance.oneIn(16)) disturb(chance, job.steps[chance.below(steps)]);
  if (!patchstream::isSound(job, lengths)) return refused;
  // Sound numbers may still ask for gigabytes, which JavaScript's arrays would not be there for.
  for (const Step& step : job.steps) {
    if (int64_t{step.pageWidth} * step.pageHeight > 1 << 22 || int64_t{step.resizedWidth} + step.resizedHeight > 1 << 18) return refused;
  }
  if (chance.oneIn(16)) {
    granted = chance.below(12);
    renderer.run(job);
    granted = -1;
    // Now the same job again, which meets what was left half made.
    if (job.outcome != Outcome::memory) return answerOf(job.outcome, job);
  }
  renderer.run(job);
  return answerOf(job.outcome, job);
}

}  // namespace sanitize
