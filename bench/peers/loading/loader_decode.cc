// libjpeg-turbo alone: decodes whole JPEGs that lie in memory, on one thread for each core. What no loader that decodes whole files can
// be faster than.
//
//   loader_decode THREADS FILE…      each line on stdin is answered with the milliseconds of one pass over all files
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <iterator>
#include <string>
#include <thread>
#include <vector>

#include <jpeglib.h>

using Bytes = std::vector<unsigned char>;

// Scratch of one thread: rows of the largest picture so far.
static void decode(const Bytes& file, std::vector<unsigned char>& pixels) {
  jpeg_decompress_struct info;
  jpeg_error_mgr errors;
  info.err = jpeg_std_error(&errors);
  jpeg_create_decompress(&info);
  jpeg_mem_src(&info, file.data(), file.size());
  jpeg_read_header(&info, TRUE);
  info.out_color_space = JCS_RGB;
  jpeg_start_decompress(&info);
  const size_t stride = size_t(info.output_width) * 3;
  if (pixels.size() < stride * info.output_height) pixels.resize(stride * info.output_height);
  while (info.output_scanline < info.output_height) {
    JSAMPROW rows[8];
    const unsigned count = std::min(8u, info.output_height - info.output_scanline);
    for (unsigned i = 0; i < count; i++) rows[i] = pixels.data() + stride * (info.output_scanline + i);
    jpeg_read_scanlines(&info, rows, count);
  }
  jpeg_finish_decompress(&info);
  jpeg_destroy_decompress(&info);
}

int main(int argc, char** argv) {
  const int threads = std::atoi(argv[1]);
  std::vector<Bytes> files;
  for (int i = 2; i < argc; i++) {
    std::ifstream in(argv[i], std::ios::binary);
    files.emplace_back(std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>());
  }
  std::vector<std::vector<unsigned char>> scratch(threads);
  for (std::string line; std::getline(std::cin, line);) {
    const auto begun = std::chrono::steady_clock::now();
    std::atomic<size_t> next{0};
    std::vector<std::thread> workers;
    for (int t = 0; t < threads; t++) {
      workers.emplace_back([&, t] {
        for (size_t i = next++; i < files.size(); i = next++) decode(files[i], scratch[t]);
      });
    }
    for (auto& worker : workers) worker.join();
    const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - begun;
    std::printf("{\"ms\": %.3f}\n", took.count());
    std::fflush(stdout);
  }
}
