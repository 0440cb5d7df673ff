#include <algorithm>
#include <array>
#include <vector>

#include "device/device.h"
#include "fused/panels/operations.h"
#include "fused/panels/panels.h"
#include "fused/simd.h"
#include "threads.h"

namespace patchstream {

namespace {

// The sides of a tile of x or y, of the weights, and of what is multiplied.
constexpr int outSide = 2, weightSide = 3, side = 4;
constexpr int64_t products = side * side;

// The steps between the three, along one axis.
struct FromInput {
  static constexpr int from = side, to = side;
  template <class F>
  static PATCHSTREAM_INLINE void line(const F* x, F* y) {
    y[0] = x[0] - x[2];
    y[1] = x[1] + x[2];
    y[2] = x[2] - x[1];
    y[3] = x[1] - x[3];
  }
};
struct FromWeights {
  static constexpr int from = weightSide, to = side;
  template <class F>
  static PATCHSTREAM_INLINE void line(const F* x, F* y) {
    const F outer = (x[0] + x[2]) * 0.5f, inner = x[1] * 0.5f;
    y[0] = x[0];
    y[1] = outer + inner;
    y[2] = outer - inner;
    y[3] = x[2];
  }
};
struct ToWeights {
  static constexpr int from = side, to = weightSide;
  template <class F>
  static PATCHSTREAM_INLINE void line(const F* x, F* y) {
    const F outer = (x[1] + x[2]) * 0.5f;
    y[0] = x[0] + outer;
    y[1] = (x[1] - x[2]) * 0.5f;
    y[2] = outer + x[3];
  }
};
struct ToOutput {
  static constexpr int from = side, to = outSide;
  template <class F>
  static PATCHSTREAM_INLINE void line(const F* x, F* y) {
    y[0] = x[0] + x[1] + x[2];
    y[1] = x[1] - x[2] - x[3];
  }
};
struct FromOutput {
  static constexpr int from = outSide, to = side;
  template <class F>
  static PATCHSTREAM_INLINE void line(const F* x, F* y) {
    y[0] = x[0];
    y[1] = x[0] + x[1];
    y[2] = x[0] - x[1];
    y[3] = F{} - x[1];
  }
};

// Where the numbers of a tile begin, channel after channel; from one 32 channels to the next it is `step` floats.
template <int count>
struct Places {
  std::array<float*, count> at;
  int64_t step;
};

// Along both axes, for `panels` · 32 channels. The bias, where there is one, is added to each result.
template <class Step>
struct Transform {
  template <int W>
  static PATCHSTREAM_INLINE void run(const Places<Step::from * Step::from>* source, const Places<Step::to * Step::to>* target, int64_t panels, const float* bias) {
    using F = Floats<W>;
    constexpr int n = Step::from, m = Step::to;
    for (int64_t panel = 0; panel < panels; panel++) {
      for (int64_t part = 0; part < panelWidth; part += W) {
        const int64_t from = panel * source->step + part, to = panel * target->step + part;
        F half[m][n];
        PATCHSTREAM_UNROLL
        for (int j = 0; j < n; j++) {
          F column[n], changed[m];
          PATCHSTREAM_UNROLL
          for (int i = 0; i < n; i++) column[i] = load<W>(source->at[i * n + j] + from);
          Step::line(column, changed);
          PATCHSTREAM_UNROLL
          for (int i = 0; i < m; i++) half[i][j] = changed[i];
        }
        const F shift = bias == nullptr ? F{} : load<W>(bias + panel * panelWidth + part);
        PATCHSTREAM_UNROLL
        for (int i = 0; i < m; i++) {
          F changed[m];
          Step::line(half[i], changed);
          PATCHSTREAM_UNROLL
          for (int j = 0; j < m; j++) store<W>(target->at[i * m + j] + to, bias == nullptr ? changed[j] : changed[j] + shift);
        }
      }
    }
  }
};

template <class Step>
void transform(const Places<Step::from * Step::from>& source, const Places<Step::to * Step::to>& target, int64_t panels, const float* bias = nullptr) {
  simd<Transform<Step>>(&source, &target, panels, bias);
}

// 16 matrices [rows, 32·panels] one after another, each in panels. A gap of a cache line keeps their rows from meeting in the same places of the cache.
struct Matrices {
  float* data;
  int64_t rows, panels;

  static constexpr int64_t gap = 16;
  float* panel(int64_t product, int64_t number) const { return data + product * (rows * panels * panelWidth + gap) + number * rows * panelWidth; }
  Places<products> row(int64_t row, int64_t firstPanel = 0) const {
    Places<products> places{{}, rows * panelWidth};
    for (int64_t i = 0; i < products; i++) places.at[i] = panel(i, firstPanel) + row * panelWidth;
    return places;
  }
  static int64_t floats(int64_t rows, int64_t width) { return products * (rows * width + gap); }
};

// A picture's cells [N, H, W, C] in tiles of 2 × 2.
struct Tiled {
  float* data;
  int64_t H, W, C, down, across;

  explicit Tiled(const at::Tensor& x) : data(hostData<float>(x)), H(x.size(1)), W(x.size(2)), C(x.size(3)), down((H + 1) / 2), across((W + 1) / 2) {}

  int64_t perPicture() const { return down * across; }

  // n × n cells of a tile, of which the first stands `border` above and before it. What is outside the picture is `beyond`.
  template <int n>
  Places<n * n> cells(int64_t tile, int64_t border, int64_t channel, float* beyond) const {
    const int64_t picture = tile / perPicture(), inside = tile % perPicture();
    const int64_t top = inside / across * outSide - border, left = inside % across * outSide - border;
    Places<n * n> places{{}, panelWidth};
    for (int64_t i = 0; i < n; i++) {
      for (int64_t j = 0; j < n; j++) {
        const int64_t y = top + i, x = left + j;
        const bool within = y >= 0 && y < H && x >= 0 && x < W;
        places.at[i * n + j] = within ? data + ((picture * H + y) * W + x) * C + channel : beyond;
      }
    }
    return places;
  }
};

// Weights as 16 matrices [from, to]: number (i, j) of kernel k stands at base[k·kernelStep + i·rowStep + j].
at::Tensor transformed(const at::Tensor& base, int64_t from, int64_t to, int64_t kernelStep, int64_t rowStep, bool turned) {
  const at::Tensor memory = at::empty({Matrices::floats(from, to)}, base.options());
  const Matrices matrices{hostData<float>(memory), from, to / panelWidth};
  float* data = hostData<float>(base);
  parallel(from, products * to, [&](int64_t begin, int64_t end, int) {
    for (int64_t row = begin; row < end; row++) {
      Places<weightSide * weightSide> kernels{{}, panelWidth};
      for (int64_t k = 0; k < 9; k++) kernels.at[k] = data + (turned ? 8 - k : k) * kernelStep + row * rowStep;
      transform<FromWeights>(kernels, matrices.row(row), matrices.panels);
    }
  });
  return memory;
}

// Tiles that are computed together: four full strips.
constexpr int64_t blockTiles = 4 * stripRows;

at::Tensor convolve(const at::Tensor& x, const at::Tensor& memory, int64_t F, const at::Tensor& bias) {
  const int64_t C = x.size(3);
  const at::Tensor y = at::empty({x.size(0), x.size(1), x.size(2), F}, x.options());
  const Tiled in(x), out(y);
  const Matrices weights{hostData<float>(memory), C, F / panelWidth};
  const float* shift = bias.defined() ? hostData<float>(bias) : nullptr;
  parallel(x.size(0) * in.perPicture(), products * C * F / 16, [&](int64_t begin, int64_t end, int) {
    const int64_t most = std::min(blockTiles, end - begin);
    const at::Tensor scratch = at::empty({Matrices::floats(most, C) + Matrices::floats(most, panelWidth)}, x.options());
    std::vector<float> nothing(C), unread(panelWidth);
    for (int64_t first = begin; first < end; first += blockTiles) {
      const int64_t rows = std::min(blockTiles, end - first);
      const Matrices left{hostData<float>(scratch), rows, C / panelWidth};
      const Matrices result{left.data + Matrices::floats(rows, C), rows, 1};
      for (int64_t row = 0; row < rows; row++) transform<FromInput>(in.cells<side>(first + row, 1, 0, nothing.data()), left.row(row), left.panels);
      for (int64_t panel = 0; panel < weights.panels; panel++) {
        for (int64_t i = 0; i < products; i++)
          multiplyPanel({left.panel(i, 0), rows * panelWidth}, weights.panel(i, panel), result.panel(i, 0), panelWidth, rows, C);
        const int64_t channel = panel * panelWidth;
        for (int64_t row = 0; row < rows; row++)
          transform<ToOutput>(result.row(row), out.cells<outSide>(first + row, 0, channel, unread.data()), 1, shift == nullptr ? nullptr : shift + channel);
      }
    }
  });
  return y;
}

// Tiles whose products are added to the weights' gradient at a time, which bounds the memory.
constexpr int64_t groupTiles = 1024;

at::Tensor weightGrad(const at::Tensor& dy, const at::Tensor& x) {
  const Tiled in(x), out(dy);
  const int64_t C = in.C, F = out.C, tiles = x.size(0) * in.perPicture(), most = std::min(groupTiles, tiles);
  const at::Tensor memory = at::empty({Matrices::floats(most, C) + Matrices::floats(most, F) + Matrices::floats(C, F)}, x.options());
  const Matrices sums{hostData<float>(memory), C, F / panelWidth};
  for (int64_t first = 0; first < tiles; first += groupTiles) {
    const int64_t rows = std::min(groupTiles, tiles - first);
    const Matrices left{sums.data + Matrices::floats(C, F), rows, C / panelWidth};
    const Matrices right{left.data + Matrices::floats(rows, C), rows, F / panelWidth};
    parallel(rows, products * (C + F), [&](int64_t begin, int64_t end, int) {
      std::vector<float> nothing(std::max(C, F));
      for (int64_t row = begin; row < end; row++) {
        transform<FromInput>(in.cells<side>(first + row, 1, 0, nothing.data()), left.row(row), left.panels);
        transform<FromOutput>(out.cells<outSide>(first + row, 0, 0, nothing.data()), right.row(row), right.panels);
      }
    });
    parallel(products * left.panels, panelWidth * F * rows / 16, [&](int64_t begin, int64_t end, int) {
      for (int64_t unit = begin; unit < end; unit++) {
        const int64_t i = unit / left.panels, block = unit % left.panels;
        for (int64_t panel = 0; panel < right.panels; panel++)
          multiplyTransposed(left.panel(i, block), right.panel(i, panel), sums.panel(i, panel) + block * panelWidth * panelWidth, panelWidth, rows, first > 0);
      }
    });
  }
  const at::Tensor dWeight = at::empty({weightSide, weightSide, C, F}, x.options());
  float* data = hostData<float>(dWeight);
  parallel(C, products * F, [&](int64_t begin, int64_t end, int) {
    for (int64_t row = begin; row < end; row++) {
      Places<weightSide * weightSide> kernels{{}, panelWidth};
      for (int64_t k = 0; k < 9; k++) kernels.at[k] = data + (k * C + row) * F;
      transform<ToWeights>(sums.row(row), kernels, sums.panels);
    }
  });
  return dWeight;
}

}  // namespace

at::Tensor conv3x3ByPanels(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias) {
  const int64_t C = weight.size(2), F = weight.size(3);
  return convolve(x, transformed(weight, C, F, C * F, F, false), F, bias);
}

ConvGrad conv3x3GradByPanels(const at::Tensor& dy, const at::Tensor& x, const at::Tensor& weight, bool withBias) {
  const int64_t C = weight.size(2), F = weight.size(3);
  // [F, 3·3·C], which ATen copies in blocks. x's gradient is dy convolved with these weights turned round.
  const at::Tensor byOutput = weight.reshape({9 * C, F}).t().contiguous();
  return {convolve(dy, transformed(byOutput, F, C, C, 9 * C, true), C, {}), weightGrad(dy, x),
          withBias ? dy.reshape({-1, F}).sum(0) : at::Tensor()};
}

}  // namespace patchstream
