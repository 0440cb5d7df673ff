// Jobs for the renderer of native/image drawn from a seed, and what came of them.
#pragma once

#include <cstdint>
#include <cstddef>

#include "drawn.h"
#include "render.h"

namespace sanitize {

struct Size {
  int32_t width = 0;
  int32_t height = 0;
};

// The format that the first bytes say.
patchstream::Kind kindOf(const uint8_t* bytes, size_t length);

// The size that the header announces, of a JPEG the first frame's; nothing (0 × 0) when there is none or it is above the limit on pixels. As
// src/vision/headers reads it, before any job is made.
Size sizeOf(const uint8_t* bytes, size_t length);

// Makes the sums of a PNG's chunks right, as far as they lie one behind the other: with wrong ones nothing behind them is tried.
void resum(uint8_t* bytes, size_t length);

enum Answer { done, broken, foreign, cancelled, memory, refused, answers };
extern const char* const answerNames[answers];

// Renders `bytes` as a JPEG, PNG or WebP, or as raw pixels now and then (one picture, or many alike), by a job that is drawn from `chance`: crops, resizes both
// ways, mirrors, pages, steps that build on one another, each of the eight orientations, and at times numbers that do not fit together, an allocation
// that fails, or a renderer without a past. Every memory is exactly as large as it must
// be. Ends the program when an outcome is none of those that JavaScript knows, or a failure has no message.
Answer render(patchstream::Renderer& renderer, const uint8_t* bytes, size_t length, Chance& chance);

}  // namespace sanitize
