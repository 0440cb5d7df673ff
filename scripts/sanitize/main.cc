// Renders every file of a corpus by many jobs, then mutations of its small files.
//
//   main JOBS MUTATIONS SEED FILE…      JOBS of each file; prints how often each outcome came; a sanitizer ends it at the first fault
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "harness.h"

using sanitize::Chance;
using Bytes = std::vector<uint8_t>;

namespace {

// Mutations are of small files, which are many in a second.
constexpr size_t smallBytes = 6000;

// Turns bits, writes bytes that markers and lengths are made of, cuts, repeats and joins.
void mutate(Bytes& bytes, const Bytes& other, Chance& chance) {
  static const uint8_t telling[] = {0x00, 0xff, 0x01, 0x7f, 0x80, 0xd8, 0xd9, 0xda, 0xdb, 0xc0, 0xc2, 0xc4, 0xc9, 0xdd, 0xd0, 0xfe};
  const uint32_t times = 1 + chance.below(6);
  for (uint32_t i = 0; i < times && !bytes.empty(); i++) {
    const size_t size = bytes.size();
    // Headers are short and most of what can go wrong lies in them.
    const size_t at = chance.below(static_cast<uint32_t>(chance.oneIn(2) ? std::min<size_t>(size, 700) : size));
    switch (chance.below(7)) {
      case 0:
        bytes[at] ^= static_cast<uint8_t>(1u << chance.below(8));
        break;
      case 1:
        bytes[at] = telling[chance.below(sizeof telling)];
        break;
      case 2:
        bytes[at] = static_cast<uint8_t>(chance.next());
        break;
      case 3:
        if (chance.oneIn(3)) bytes.resize(at);
        break;
      case 4: {
        const size_t count = std::min<size_t>(1 + chance.below(64), size - at);
        const Bytes part(bytes.begin() + at, bytes.begin() + at + count);
        bytes.insert(bytes.begin() + chance.below(static_cast<uint32_t>(size)), part.begin(), part.end());
        break;
      }
      case 5: {
        const size_t count = std::min<size_t>(1 + chance.below(64), size - at);
        bytes.erase(bytes.begin() + at, bytes.begin() + at + count);
        break;
      }
      default: {
        if (other.empty()) break;
        const size_t from = chance.below(static_cast<uint32_t>(other.size()));
        const size_t count = std::min({size_t{1} + chance.below(200), other.size() - from, size - at});
        std::copy_n(other.begin() + from, count, bytes.begin() + at);
      }
    }
  }
}

void tell(const char* what, const long (&counts)[sanitize::answers]) {
  std::printf("%s:", what);
  for (int i = 0; i < sanitize::answers; i++) std::printf(" %ld %s", counts[i], sanitize::answerNames[i]);
  std::printf("\n");
  std::fflush(stdout);
}

}  // namespace

int main(int argc, char** argv) {
  const int jobs = std::atoi(argv[1]);
  const long mutations = std::atol(argv[2]);
  const uint64_t seed = std::strtoull(argv[3], nullptr, 10);
  std::vector<Bytes> files;
  std::vector<Bytes> small;
  for (int i = 4; i < argc; i++) {
    std::ifstream in(argv[i], std::ios::binary);
    files.emplace_back(std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>());
    if (files.back().size() <= smallBytes) small.push_back(files.back());
  }
  patchstream::Renderer renderer;
  long counts[sanitize::answers] = {};
  for (size_t i = 0; i < files.size(); i++) {
    Chance chance(seed + i);
    for (int job = 0; job < jobs; job++) counts[sanitize::render(renderer, files[i].data(), files[i].size(), chance)]++;
  }
  tell("corpus", counts);

  std::fill(std::begin(counts), std::end(counts), 0);
  for (long i = 0; i < mutations && !small.empty(); i++) {
    Chance chance(seed * 1000003 + static_cast<uint64_t>(i));
    Bytes bytes = small[chance.below(static_cast<uint32_t>(small.size()))];
    mutate(bytes, small[chance.below(static_cast<uint32_t>(small.size()))], chance);
    if (sanitize::kindOf(bytes.data(), bytes.size()) == patchstream::Kind::png && !chance.oneIn(4)) sanitize::resum(bytes.data(), bytes.size());
    counts[sanitize::render(renderer, bytes.data(), bytes.size(), chance)]++;
  }
  tell("mutations", counts);
}
