#include "host.h"
// The texts of the kernels.
#include "common.cu"
#include "linear.cu"
#include "numbers.h"

namespace {

double share(double x) { return 0.5 * std::erfc(-x / std::sqrt(2.0)); }
double slope(double x) { return share(x) + x * std::exp(-x * x / 2) / std::sqrt(2 * M_PI); }

using Both = std::pair<std::vector<float>, std::vector<float>>;

template <class Out>
void checkAfter(const char* name, unsigned rows, unsigned width, bool gelu, bool withBias,
                void (*kernel)(const Bfloat16*, const float*, Out*, Bfloat16*, unsigned, unsigned)) {
  const auto pre = narrowed(numbers(rows * width, 2));
  const auto bias = numbers(width, 1, 2);
  std::vector<Out> y;
  std::vector<Bfloat16> saved;
  const bool same = launch<Both>({3, 1, 1}, {64, 1, 1}, [&] { y.assign(rows * width, Out{}), saved.assign(rows * width, {}); },
                           [&] { kernel(pre.data(), withBias ? bias.data() : nullptr, y.data(), saved.data(), rows * width / 8, width); },
                           [&] { return Both(widened(y), widened(saved)); });
  std::vector<double> wanted, kept;
  for (unsigned i = 0; i < rows * width; i++) {
    const double x = wide(pre[i]) + (withBias ? static_cast<double>(bias[i % width]) : 0.0);
    kept.push_back(x);
    wanted.push_back(gelu ? x * share(x) : x);
  }
  tell(std::string(name) + (withBias ? "" : " without bias"), apart(widened(y), wanted), same);
  if (gelu) tell(std::string(name) + " saved", apart(widened(saved), kept));
}

template <class In>
void checkBefore(const char* name, unsigned rows, unsigned width, bool gelu,
                 void (*kernel)(const In*, const Bfloat16*, Bfloat16*, float*, unsigned, unsigned, unsigned)) {
  std::vector<In> dy(rows * width);
  const auto given = numbers(rows * width);
  for (size_t i = 0; i < dy.size(); i++) put(&dy[i], given[i]);
  const auto pre = narrowed(numbers(rows * width, 2, 2));
  const unsigned parts = 3, rowsPerPart = (rows + parts - 1) / parts;
  std::vector<Bfloat16> change;
  std::vector<float> sums;
  const bool same = launch<Both>({(width + columnsAtOnce - 1) / columnsAtOnce, parts, 1}, {32, rowsAtOnce, 1},
                           [&] { change.assign(rows * width, {}), sums.assign(parts * width, NAN); },
                           [&] { kernel(dy.data(), pre.data(), change.data(), sums.data(), rows, width, rowsPerPart); },
                           [&] { return Both(widened(change), sums); });
  std::vector<double> wanted(rows * width), wantedSums(width), found(width);
  for (unsigned i = 0; i < rows * width; i++) {
    wanted[i] = wide(dy[i]) * (gelu ? slope(wide(pre[i])) : 1.0);
    wantedSums[i % width] += wanted[i];
  }
  for (unsigned i = 0; i < parts * width; i++) found[i % width] += sums[i];
  tell(name, apart(widened(change), wanted), same);
  tell(std::string(name) + " sums", apart(found, wantedSums));
}

}  // namespace

int main() {
  for (const auto& [rows, width] : std::vector<std::pair<unsigned, unsigned>>{{7, 8}, {37, 64}, {21, 264}}) {
    for (const bool withBias : {true, false}) {
      checkAfter<float>("linear_after", rows, width, false, withBias,
                        [](auto pre, auto bias, auto y, auto, auto count, auto width) { linear_after(pre, bias, y, count, width); });
      checkAfter<Bfloat16>("linear_after_narrow", rows, width, false, withBias,
                           [](auto pre, auto bias, auto y, auto, auto count, auto width) { linear_after_narrow(pre, bias, y, count, width); });
      checkAfter<float>("linear_after_gelu", rows, width, true, withBias, linear_after_gelu);
      checkAfter<Bfloat16>("linear_after_gelu_narrow", rows, width, true, withBias, linear_after_gelu_narrow);
    }
    checkBefore<float>("linear_before", rows, width, false, [](auto dy, auto, auto change, auto sums, auto rows, auto width, auto per) {
      linear_before(dy, change, sums, rows, width, per);
    });
    checkBefore<Bfloat16>("linear_before_narrow", rows, width, false, [](auto dy, auto, auto change, auto sums, auto rows, auto width, auto per) {
      linear_before_narrow(dy, change, sums, rows, width, per);
    });
    checkBefore<float>("linear_before_gelu", rows, width, true, linear_before_gelu);
    checkBefore<Bfloat16>("linear_before_gelu_narrow", rows, width, true, linear_before_gelu_narrow);
  }
}
