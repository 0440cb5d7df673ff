// Renders the files of a corpus in several threads, which have all begun when the first picture is taken: what the process knows of its libjpeg is found out by all of them.
//
//   at_once THREADS PICTURES SEED FILE…      so many PICTURES in each thread, drawn from the files; a sanitizer ends it at the first fault
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <mutex>
#include <thread>
#include <vector>

#include "harness.h"

using Bytes = std::vector<uint8_t>;

int main(int argc, char** argv) {
  const int count = std::atoi(argv[1]);
  const int pictures = std::atoi(argv[2]);
  const uint64_t seed = std::strtoull(argv[3], nullptr, 10);
  std::vector<Bytes> files;
  for (int i = 4; i < argc; i++) {
    std::ifstream in(argv[i], std::ios::binary);
    files.emplace_back(std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>());
  }
  std::mutex mutex;
  std::condition_variable begun;
  int missing = count;
  long counts[sanitize::answers] = {};
  const auto work = [&](int thread) {
    long own[sanitize::answers] = {};
    patchstream::Renderer renderer;
    sanitize::Chance chance(seed * 1009 + static_cast<uint64_t>(thread));
    {
      std::unique_lock<std::mutex> lock(mutex);
      if (--missing == 0) begun.notify_all();
      begun.wait(lock, [&] { return missing == 0; });
    }
    for (int i = 0; i < pictures; i++) {
      const Bytes& file = files[chance.below(static_cast<uint32_t>(files.size()))];
      own[sanitize::render(renderer, file.data(), file.size(), chance)]++;
    }
    const std::lock_guard<std::mutex> lock(mutex);
    for (int i = 0; i < sanitize::answers; i++) counts[i] += own[i];
  };
  std::vector<std::thread> threads;
  for (int thread = 0; thread < count; thread++) threads.emplace_back(work, thread);
  for (std::thread& thread : threads) thread.join();
  std::printf("at once:");
  for (int i = 0; i < sanitize::answers; i++) std::printf(" %ld %s", counts[i], sanitize::answerNames[i]);
  std::printf("\n");
}
