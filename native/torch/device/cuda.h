// What is asked of CUDA itself and not through c10's common interface. A libtorch before 2.11 is asked by CUDA's headers (PATCHSTREAM_CUDA), where they are.
#pragma once

#include <string>

#include "device/device.h"

namespace patchstream {

DeviceMemory cudaMemory(int index);
// The name that the device gives itself, as `NVIDIA H200`; empty where nobody says.
std::string cudaName(int index);
// The first number of its compute capability, 8 for those that have products of bfloat16 and TF32; 0 where nobody says.
int cudaGeneration(int index);
// Both numbers of it, 90 for 9.0; 0 where nobody says.
int cudaProcessor(int index);
// How many multiprocessors it has; 0 where nobody says.
int cudaMultiprocessors(int index);
// Memory that libtorch keeps for later goes back to the devices.
void releaseCuda();

}  // namespace patchstream
