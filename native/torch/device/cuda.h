// What is asked of CUDA itself and not through c10's common interface. A libtorch before 2.11 is asked by CUDA's headers (PATCHSTREAM_CUDA), where they are.
#pragma once

#include <string>

#include "device/device.h"

namespace patchstream {

DeviceMemory cudaMemory(int index);
// The name that the device gives itself, as `NVIDIA H200`; empty where nobody says.
std::string cudaName(int index);
// Memory that libtorch keeps for later goes back to the devices.
void releaseCuda();

}  // namespace patchstream
