#pragma once

#include <cstddef>
#include <cstdint>

namespace patchstream {

// What lies between the last code of a scan and the marker behind it. Some cameras fill up there; but data that was lost or doubled in the middle of a scan
// shows there too, for a decoder falls into step again and then has too much of it. The rule is that of src/vision/headers/jpeg-scan.ts.

// Bytes that may be anything: what an encoder had in its registers.
constexpr ptrdiff_t mostPadding = 16;

// The marker behind `from`, but for those of restarts; `end` where there is none.
const uint8_t* nextMarker(const uint8_t* from, const uint8_t* end);

// Whether [from, to) of the file that begins at `begin` is data of the picture, and no padding: more than a few bytes that are not all alike, or that were
// alike before `from` already, so that the last rows were made of them.
bool isData(const uint8_t* begin, const uint8_t* from, const uint8_t* to);

}  // namespace patchstream
