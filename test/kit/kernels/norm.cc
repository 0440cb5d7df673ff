#include "host.h"
#define WIDTH 192
// The texts of the kernels.
#include "common.cu"
#include "norm.cu"
#include "numbers.h"

namespace {

constexpr float eps = 1e-6f;
constexpr unsigned rows = 21;

struct Case {
  std::vector<float> x = numbers(rows * WIDTH, 3), gain = numbers(WIDTH, 1, 2), bias = numbers(WIDTH, 1, 3), mean = std::vector<float>(rows),
                     rstd = std::vector<float>(rows);
};

template <class Out>
void checkForward(const char* name, void (*kernel)(const float*, const float*, const float*, Out*, float*, float*, unsigned, float), Case& at) {
  for (float& x : at.x) x += 5;
  std::vector<Out> y;
  const bool same = launch<std::vector<float>>({(rows + warpsOfBlock - 1) / warpsOfBlock, 1, 1}, {256, 1, 1}, [&] { y.assign(rows * WIDTH, Out{}); },
                           [&] { kernel(at.x.data(), at.gain.data(), at.bias.data(), y.data(), at.mean.data(), at.rstd.data(), rows, eps); },
                           [&] { return widened(y); });
  std::vector<double> wanted(rows * WIDTH);
  for (unsigned row = 0; row < rows; row++) {
    const float* x = &at.x[row * WIDTH];
    double mean = 0, square = 0;
    for (int i = 0; i < WIDTH; i++) mean += x[i] / static_cast<double>(WIDTH);
    for (int i = 0; i < WIDTH; i++) square += (x[i] - mean) * (x[i] - mean) / WIDTH;
    for (int i = 0; i < WIDTH; i++) wanted[row * WIDTH + i] = (x[i] - mean) / std::sqrt(square + eps) * at.gain[i] + at.bias[i];
  }
  tell(name, apart(widened(y), wanted), same);
}

template <class In>
void checkGradient(const char* name, void (*kernel)(const In*, const float*, const float*, const float*, const float*, float*, float*, unsigned),
                   const Case& at) {
  constexpr unsigned parts = 2;
  std::vector<In> dy(rows * WIDTH);
  const auto given = numbers(rows * WIDTH, 1, 4);
  for (size_t i = 0; i < dy.size(); i++) put(&dy[i], given[i]);
  std::vector<float> dx, sums;
  using Both = std::pair<std::vector<float>, std::vector<float>>;
  const bool same = launch<Both>({parts, 1, 1}, {256, 1, 1}, [&] { dx.assign(rows * WIDTH, 0), sums.assign(parts * 2 * WIDTH, NAN); },
                           [&] { kernel(dy.data(), at.x.data(), at.mean.data(), at.rstd.data(), at.gain.data(), dx.data(), sums.data(), rows); },
                           [&] { return Both(dx, sums); });
  std::vector<double> wanted(rows * WIDTH), wantedSums(2 * WIDTH), found(2 * WIDTH);
  for (unsigned row = 0; row < rows; row++) {
    double mean = 0, square = 0, sum = 0, along = 0;
    const float* x = &at.x[row * WIDTH];
    for (int i = 0; i < WIDTH; i++) mean += x[i] / static_cast<double>(WIDTH);
    for (int i = 0; i < WIDTH; i++) square += (x[i] - mean) * (x[i] - mean) / WIDTH;
    const double scale = 1 / std::sqrt(square + eps);
    for (int i = 0; i < WIDTH; i++) {
      const double change = wide(dy[row * WIDTH + i]), unit = (x[i] - mean) * scale;
      wantedSums[i] += change * unit;
      wantedSums[WIDTH + i] += change;
      sum += change * at.gain[i] / WIDTH;
      along += change * at.gain[i] * unit / WIDTH;
    }
    for (int i = 0; i < WIDTH; i++) {
      const double unit = (x[i] - mean) * scale;
      wanted[row * WIDTH + i] = (wide(dy[row * WIDTH + i]) * at.gain[i] - sum - unit * along) * scale;
    }
  }
  for (unsigned i = 0; i < parts * 2 * WIDTH; i++) found[i % (2 * WIDTH)] += sums[i];
  tell(name, apart(dx, wanted), same);
  tell(std::string(name) + " sums", apart(found, wantedSums));
}

}  // namespace

int main() {
  Case at;
  checkForward<float>("layer_norm", layer_norm, at);
  checkForward<Bfloat16>("layer_norm_narrow", layer_norm_narrow, at);
  checkGradient<float>("layer_norm_gradient", layer_norm_gradient, at);
  checkGradient<Bfloat16>("layer_norm_gradient_narrow", layer_norm_gradient_narrow, at);
}
