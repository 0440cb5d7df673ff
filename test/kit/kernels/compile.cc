// Compiles a text as native/torch does, and says what the compiler has said: the folder of libtorch, the processor, the paths of common.cu and of the text, options. With
// PATCHSTREAM_CACHE the binary is also taken by way of the cache, and must be the same.
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <iterator>

#include "cuda/nvrtc.h"

namespace {

std::string textOf(const char* path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

}  // namespace

int main(int count, char** given) {
  if (count < 5) return 2;
  const std::vector<std::string> folders = patchstream::nvrtcFolders(given[1]);
  const patchstream::KernelText text{given[4], textOf(given[3]) + textOf(given[4]), std::atoi(given[2]), {given + 5, given + count}};
  try {
    const auto [cubin, log] = patchstream::compileKernels(text, folders);
    std::cout << log;
    if (std::getenv("PATCHSTREAM_CACHE") == nullptr || patchstream::cachedKernels(text, folders) == cubin) return 0;
    std::cout << "error: the cache gave another binary\n";
  } catch (const std::exception& error) {
    std::cout << "error: " << error.what() << '\n';
  }
  return 1;
}
