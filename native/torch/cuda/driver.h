// Kernels on a device, by CUDA's driver, which libtorch has loaded and started; by the names of its functions, for its headers are not everywhere.
#pragma once

#include <ATen/ATen.h>

#include <string>

namespace patchstream {

struct Grid {
  unsigned x = 1, y = 1, threadsX = 1, threadsY = 1;
  unsigned sharedBytes = 0;  // asked for at the launch
};

// A kernel of `text`.cu, compiled with `options` for the current device, or loaded from the cache. Looked up once for each device. Throws std::runtime_error where there is no
// NVRTC, no driver, or no such kernel.
void* kernelOf(const std::string& text, const std::string& name, const std::vector<std::string>& options, at::Device device);

// Puts a launch into the stream that libtorch uses now. The arguments are as the kernel declares them.
void launchKernel(void* kernel, const Grid& grid, void** arguments, at::Device device);

template <class... Arguments>
void launch(void* kernel, const Grid& grid, at::Device device, Arguments... arguments) {
  void* places[] = {&arguments...};
  launchKernel(kernel, grid, places, device);
}

}  // namespace patchstream
