#include "host.h"
// The texts of the kernels.
#include "common.cu"
#include "lists.cu"

namespace {

using Lists = std::vector<std::vector<float>>;

void checkAdamW() {
  const std::vector<unsigned> counts{1, 300, 77};
  const Lists before{numbers(378), numbers(378, 1, 2), numbers(378, 1, 3), numbers(378, 1, 4)};
  Lists now;
  std::vector<Piece> pieces;
  const auto again = [&] {
    now = before;
    for (float& x : now[3]) x = std::abs(x);
    pieces.clear();
    unsigned at = 0;
    for (const unsigned count : counts) {
      pieces.push_back({&now[0][at], &now[1][at], &now[2][at], &now[3][at], 0.05f * pieces.size(), count});
      at += count;
    }
  };
  const double lr = 1e-2, beta1 = 0.9, beta2 = 0.95, eps = 1e-8, scale = 0.25, t = 3;
  const Setting at{static_cast<float>(lr), static_cast<float>(lr / (1 - std::pow(beta1, t))), static_cast<float>(1 / std::sqrt(1 - std::pow(beta2, t))),
                   static_cast<float>(beta1), static_cast<float>(1 - beta1), static_cast<float>(beta2), static_cast<float>(1 - beta2),
                   static_cast<float>(eps), static_cast<float>(scale)};
  const bool same = launch<Lists>({3, 1, 1}, {64, 1, 1}, again, [&] { adamw(pieces.data(), at); }, [&] { return now; });
  std::vector<double> p, m, v;
  for (unsigned i = 0; i < 378; i++) {
    const double g = before[1][i] * scale, decay = i < 1 ? 0 : i < 301 ? 0.05 : 0.1;
    m.push_back(before[2][i] * beta1 + g * (1 - beta1));
    v.push_back(std::abs(before[3][i]) * beta2 + g * g * (1 - beta2));
    const double change = m[i] / (1 - std::pow(beta1, t)) / (std::sqrt(v[i] / (1 - std::pow(beta2, t))) + eps);
    p.push_back(before[0][i] * (1 - lr * decay) - lr * change);
  }
  tell("adamw", apart(now[0], p), same);
  tell("adamw first", apart(now[2], m));
  tell("adamw second", apart(now[3], v));
  double left = 0;
  for (const float x : now[1]) left += std::abs(x);
  tell("adamw gradients left", left);
}

void checkSquares() {
  std::vector<float> values = numbers(1000);
  // Two pieces of the first tensor, none of the second, three of the third.
  std::vector<Piece> pieces;
  for (const auto& [from, count] : std::vector<std::pair<unsigned, unsigned>>{{0, 300}, {300, 100}, {400, 512}, {912, 1}, {913, 87}})
    pieces.push_back({&values[from], nullptr, nullptr, nullptr, 0, count});
  const std::vector<unsigned> ends{2, 2, 5};
  std::vector<double> sums(5);
  std::vector<float> squares(3);
  const bool first = launch<std::vector<double>>({5, 1, 1}, {256, 1, 1}, [&] { sums.assign(5, NAN); },
                            [&] { squares_of_pieces(pieces.data(), sums.data()); }, [&] { return sums; });
  const bool second = launch<std::vector<float>>({3, 1, 1}, {256, 1, 1}, [&] { squares.assign(3, NAN); },
                             [&] { squares_of_tensors(sums.data(), ends.data(), squares.data()); }, [&] { return squares; });
  std::vector<double> wanted(3);
  for (unsigned i = 0; i < 1000; i++) wanted[i < 400 ? 0 : 2] += static_cast<double>(values[i]) * values[i];
  tell("squares", apart(squares, wanted), first && second);
}

}  // namespace

int main() {
  checkAdamW();
  checkSquares();
}
