// What is asked of CUDA itself and not through c10's common interface. Without CUDA's headers (PATCHSTREAM_CUDA), nothing is known and nothing done.
#pragma once

#include "device.h"

namespace patchstream {

DeviceMemory cudaMemory(int index);
// Memory that libtorch keeps for later goes back to the devices.
void releaseCuda();

}  // namespace patchstream
