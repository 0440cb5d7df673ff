#pragma once

#include <cstddef>

namespace patchstream {

// Gives libtorch's CPU tensors memory that is kept when freed and used again for the next tensor of that size. A training step makes the
// same tensors over and over, and fresh memory from the system costs a page fault for every 4 KiB. What lies unused is bounded by what was
// in use at once: used and kept together never exceed the highest use. Process-wide, once.
void installAllocator();

// Gives what lies unused back to the system.
void dropIdleMemory();

// From now on tensors together, of 64 KiB and more each, take at most so many bytes; more is memory that cannot be had.
void boundMemory(size_t bytes);

}  // namespace patchstream
