// Which results of a recorded program may be of bfloat16.
#pragma once

#include "program.h"

namespace patchstream {

// Marks the instructions whose first result may be given in bfloat16, with the same results of the program: because all that read it make factors of bfloat16
// of it anyway, or because its numbers are such already and all that read it take them as they come. Then they are written and read in half the bytes, and
// nothing is cast in between.
void markNarrow(std::vector<Instruction>& instructions, size_t places);

}  // namespace patchstream
