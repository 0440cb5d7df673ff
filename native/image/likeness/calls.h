// What JavaScript may call to find near-duplicates.
#pragma once

#include "environment.h"

namespace patchstream {

// openParts(edges, waves, intervals, leastContent, fineWaves): comes first, once; see Parts.
napi_value openParts(const Arguments& given);
// partCodes(thumbnail, codes, content, first, fine): two words of the plain and two of the mirrored code of each part; see PartCodes.
napi_value partCodes(const Arguments& given);
// newCodes(pieces) -> an index.
napi_value newCodes(const Arguments& given);
// addCodes(index, codes, values): two words of each code.
napi_value addCodes(const Arguments& given);
// nearCodes(index, codes, radius, found) -> how many were found; query, value and bits of each where there is room for all.
napi_value nearCodes(const Arguments& given);

}  // namespace patchstream
