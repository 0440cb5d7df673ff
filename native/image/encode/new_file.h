#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace patchstream {

// Makes a file that is not there yet, and writes the bytes into it. False where that could not be done, for whatever reason: then no file of ours is left, and
// the caller, who writes it in another way, learns why.
bool writeNew(const std::string& path, const uint8_t* bytes, size_t length);

}  // namespace patchstream
