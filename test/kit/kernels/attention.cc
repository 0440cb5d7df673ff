#include "host.h"

// What a block asks for at its launch.
alignas(16) static unsigned char memory[128 * 1024];

// As the tensor cores do it: each lane has four words of a [16, 16], two of b [16, 8] and four numbers of the sums [16, 8].
inline void multiply(float (&sums)[4], const unsigned (&a)[4], unsigned low, unsigned high) {
  host::Group& warp = host::warp();
  double* const own = warp.lanes[host::lane()];
  for (int i = 0; i < 4; i++) own[i] = a[i];
  own[4] = low;
  own[5] = high;
  host::wait(warp);
  const auto half = [&](unsigned lane, unsigned word, unsigned k) {
    const auto bits = static_cast<unsigned>(warp.lanes[lane][word]);
    return __uint_as_float(k % 2 == 0 ? bits << 16 : bits & 0xffff0000u);
  };
  for (unsigned e = 0; e < 4; e++) {
    const unsigned row = host::lane() / 4 + 8 * (e / 2), column = 2 * (host::lane() % 4) + e % 2;
    for (unsigned k = 0; k < 16; k++)
      sums[e] += half(row % 8 * 4 + k % 8 / 2, row / 8 + 2 * (k / 8), k) * half(column * 4 + k % 8 / 2, 4 + k / 8, k);
  }
  host::wait(warp);
}
inline float __expf(float x) { return std::exp(x); }

// The texts of the kernels.
#include "common.cu"
#include "attention.cu"
#include "numbers.h"

namespace {

using Both = std::pair<std::vector<float>, std::vector<float>>;

void check(int B, int T, int heads, int buckets, bool scaled) {
  const int width = heads * HEAD;
  const auto qkv = narrowed(numbers(B * T * 3 * width)), dy = narrowed(numbers(B * T * width, 1, 2)), table = narrowed(numbers(buckets * HEAD, 1, 3));
  std::vector<int> ids(T * T);
  for (int i = 0; i < T * T; i++) ids[i] = buckets == 0 ? 0 : (i * 7 + i / T * 3) % buckets;
  const int* const given = buckets == 0 ? nullptr : ids.data();
  const float scale = 1 / std::sqrt(static_cast<float>(HEAD));
  const Sizes at{T, heads, buckets, scale, scaled ? scale : 1};
  std::vector<Bfloat16> y, dqkv;
  std::vector<float> sums, dTable;
  constexpr unsigned blocks = 3;
  const bool same = launch<Both>({static_cast<unsigned>(B * heads), 1, 1}, {128, 1, 1},
                           [&] { y.assign(B * T * width, {}), sums.assign(B * heads * T, NAN), std::memset(memory, 0xff, sizeof memory); },
                           [&] { window_attention(qkv.data(), table.data(), given, y.data(), sums.data(), at); },
                           [&] { return Both(widened(y), sums); });
  const bool sameGradient =
      launch<Both>({blocks, 1, 1}, {128, 1, 1},
             [&] { dqkv.assign(qkv.size(), {}), dTable.assign(blocks * side * HEAD, NAN), std::memset(memory, 0xff, sizeof memory); },
             [&] { window_attention_gradient(dy.data(), qkv.data(), sums.data(), table.data(), given, dqkv.data(), dTable.data(), B * heads, at); },
             [&] { return Both(widened(dqkv), widened(buckets == 0 ? std::vector<float>() : dTable)); });
  std::vector<double> wanted(B * T * width), wantedGradient(qkv.size()), wantedTable(buckets * HEAD);
  for (int b = 0; b < B; b++)
    for (int h = 0; h < heads; h++) {
      const auto number = [&](int part, int t, int c) { return (static_cast<size_t>(b * T + t) * 3 + part) * width + h * HEAD + c; };
      const auto value = [&](int part, int t, int c) { return static_cast<double>(wide(qkv[number(part, t, c)])); };
      const auto change = [&](int t, int c) { return static_cast<double>(wide(dy[static_cast<size_t>(b * T + t) * width + h * HEAD + c])); };
      for (int i = 0; i < T; i++) {
        std::vector<double> shares(T), dShares(T);
        double most = -INFINITY, sum = 0, mean = 0;
        for (int j = 0; j < T; j++) {
          for (int c = 0; c < HEAD; c++) {
            shares[j] += value(0, i, c) * value(1, j, c) * scale;
            if (buckets > 0) shares[j] += value(0, i, c) * wide(table[ids[i * T + j] * HEAD + c]) * at.tableScale;
            dShares[j] += change(i, c) * value(2, j, c);
          }
          most = std::max(most, shares[j]);
        }
        for (double& share : shares) sum += share = std::exp(share - most);
        for (int j = 0; j < T; j++) mean += (shares[j] /= sum) * dShares[j];
        for (int j = 0; j < T; j++) {
          const double dLogit = (dShares[j] - mean) * shares[j];
          for (int c = 0; c < HEAD; c++) {
            wanted[static_cast<size_t>(b * T + i) * width + h * HEAD + c] += shares[j] * value(2, j, c);
            wantedGradient[number(0, i, c)] += dLogit * value(1, j, c) * scale;
            wantedGradient[number(1, j, c)] += dLogit * value(0, i, c) * scale;
            wantedGradient[number(2, j, c)] += shares[j] * change(i, c);
            if (buckets == 0) continue;
            wantedGradient[number(0, i, c)] += dLogit * wide(table[ids[i * T + j] * HEAD + c]) * at.tableScale;
            wantedTable[ids[i * T + j] * HEAD + c] += dLogit * value(0, i, c) * at.tableScale;
          }
        }
      }
    }
  const std::string what = std::to_string(T) + " tokens, heads of " + std::to_string(HEAD) + ", " + std::to_string(buckets) + " buckets";
  tell("window_attention " + what, apart(widened(y), wanted), same);
  tell("window_attention_gradient " + what, apart(widened(dqkv), wantedGradient), sameGradient);
  if (buckets == 0) return;
  std::vector<double> found(buckets * HEAD);
  for (unsigned part = 0; part < blocks; part++)
    for (int i = 0; i < buckets * HEAD; i++) found[i] += dTable[part * side * HEAD + i];
  tell("window_attention_gradient table " + what, apart(found, wantedTable));
}

}  // namespace

int main() {
  check(2, 50, 2, 50, false);
  check(1, 64, 3, 64, true);
  check(4, 5, 1, 3, true);
  check(2, 17, 2, 0, false);
}
