// Kernels compiled at run time by NVRTC, which comes with libtorch's CUDA build and needs no GPU. Nothing of libtorch or CUDA's headers is needed here.
#pragma once

#include <string>
#include <vector>

namespace patchstream {

// A text, the kind of processor that it is for, 90 for sm_90, and further options of NVRTC.
struct KernelText {
  std::string name;
  std::string text;
  int processor;
  std::vector<std::string> options;
};

struct KernelBinary {
  std::string cubin;
  std::string log;  // what NVRTC has said
};

// The folders where NVRTC may lie: that of libtorch_cuda, and those of the packages that pip installs beside torch.
std::vector<std::string> nvrtcFolders(const std::string& torchFolder);
// The folder from which this process has loaded libtorch_cuda; empty where it has not.
std::string torchFolder();

// Compiles by the libnvrtc that lies in the first of these folders that has one, else by that of the system. Throws std::runtime_error with NVRTC's own words.
KernelBinary compileKernels(const KernelText& text, const std::vector<std::string>& folders);

// As `compileKernels`, kept in the user's cache folder ($PATCHSTREAM_CACHE, `off` for none, else patchstream in $XDG_CACHE_HOME or ~/.cache) by the digest of all
// that goes in. A file there that is not whole is compiled anew, and one that cannot be written is not.
std::string cachedKernels(const KernelText& text, const std::vector<std::string>& folders);

}  // namespace patchstream
