#pragma once

#include "job.h"

namespace patchstream {

// Does a job that reads a file: into its room, where the file lies in memory already and is of the size it says. `read`: of `size` bytes. `unread`: it must be
// read another way, by who can wait for a disk and can tell in full what is wrong; `size` is 0, or that of a file for which the room is too small
// (it has no byte more).
Outcome readFile(Job& job);

// Does a job that reads a frame out of an open file: bytes whose first four are the CRC-32 of the others, little-endian. `read`: they are, and it is. `unread`: as
// above, or the sum is another.
Outcome readFrame(Job& job);

}  // namespace patchstream
