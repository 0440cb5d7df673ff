#include <algorithm>
#include <cmath>
#include <cstring>

#include "cuda/driver.h"
#include "cuda/kernels.h"
#include "cuda/trial.h"
#include "device/device.h"

namespace patchstream {

namespace {

constexpr unsigned threads = 256;
constexpr int64_t pieceFloats = 16 * 1024;

// As in lists.cu.
struct Piece {
  float *numbers, *gradient, *first, *second;
  float decay;
  unsigned count;
};
struct Setting {
  float lr, rate, correction, beta1, rest1, beta2, rest2, eps, scale;
};

// What a kernel reads of the host's, on the device. A training's lists are the same at each step, and are sent once.
class Sent {
 public:
  const at::Tensor& of(const void* data, size_t bytes, at::Device device) {
    const auto* from = static_cast<const char*>(data);
    if (!tensor_.defined() || tensor_.device() != device || bytes_.size() != bytes || std::memcmp(bytes_.data(), from, bytes) != 0) {
      bytes_.assign(from, from + bytes);
      tensor_ = at::from_blob(bytes_.data(), {static_cast<int64_t>(bytes)}, at::TensorOptions(at::kByte)).to(device);
    }
    return tensor_;
  }

 private:
  std::vector<char> bytes_;
  at::Tensor tensor_;
};

template <class Item>
const at::Tensor& sent(Sent& kept, const std::vector<Item>& items, at::Device device) {
  return kept.of(items.data(), items.size() * sizeof(Item), device);
}

float* at(const at::Tensor& x, int64_t begin) { return static_cast<float*>(addressOf(x)) + begin; }

// Pieces of at most so many floats, tensor by tensor.
template <class Make>
std::vector<Piece> piecesOf(const std::vector<at::Tensor>& tensors, Make make) {
  std::vector<Piece> pieces;
  for (size_t i = 0; i < tensors.size(); i++)
    for (int64_t begin = 0; begin < tensors[i].numel(); begin += pieceFloats) {
      Piece piece{};
      std::memset(&piece, 0, sizeof piece);
      make(piece, i, begin);
      piece.count = static_cast<unsigned>(std::min(pieceFloats, tensors[i].numel() - begin));
      pieces.push_back(piece);
    }
  return pieces;
}

void update(const std::vector<at::Tensor>& parameters, const std::vector<at::Tensor>& gradients, const std::vector<at::Tensor>& first,
            const std::vector<at::Tensor>& second, const AdamW& by) {
  const std::vector<Piece> pieces = piecesOf(parameters, [&](Piece& piece, size_t i, int64_t begin) {
    piece.numbers = at(parameters[i], begin);
    piece.gradient = at(gradients[i], begin);
    piece.first = at(first[i], begin);
    piece.second = at(second[i], begin);
    piece.decay = static_cast<float>(by.decays[i]);
  });
  if (pieces.empty()) return;
  // Never destroyed: the device may be gone before the thread is.
  thread_local Sent& kept = *new Sent;
  const at::Device device = parameters[0].device();
  const Setting setting{static_cast<float>(by.lr),
                        static_cast<float>(by.lr / (1 - std::pow(by.beta1, by.step))),
                        static_cast<float>(1 / std::sqrt(1 - std::pow(by.beta2, by.step))),
                        static_cast<float>(by.beta1),
                        static_cast<float>(1 - by.beta1),
                        static_cast<float>(by.beta2),
                        static_cast<float>(1 - by.beta2),
                        static_cast<float>(by.eps),
                        static_cast<float>(by.scale)};
  launch(kernelOf("lists", "adamw", {}, device), {static_cast<unsigned>(pieces.size()), 1, threads}, device, addressOf(sent(kept, pieces, device)),
         setting);
}

at::Tensor squares(const std::vector<at::Tensor>& tensors) {
  const at::Device device = tensors[0].device();
  std::vector<unsigned> ends(tensors.size());
  const std::vector<Piece> pieces = piecesOf(tensors, [&](Piece& piece, size_t i, int64_t begin) {
    piece.numbers = at(tensors[i], begin);
    ends[i]++;
  });
  for (size_t i = 1; i < ends.size(); i++) ends[i] += ends[i - 1];
  const at::Tensor out = at::zeros({static_cast<int64_t>(tensors.size())}, tensors[0].options());
  if (pieces.empty()) return out;
  thread_local Sent& keptPieces = *new Sent;
  thread_local Sent& keptEnds = *new Sent;
  const at::Tensor sums = at::empty({static_cast<int64_t>(pieces.size())}, out.options().dtype(at::kDouble));
  launch(kernelOf("lists", "squares_of_pieces", {}, device), {static_cast<unsigned>(pieces.size()), 1, threads}, device,
         addressOf(sent(keptPieces, pieces, device)), addressOf(sums));
  launch(kernelOf("lists", "squares_of_tensors", {}, device), {static_cast<unsigned>(tensors.size()), 1, threads}, device, addressOf(sums),
         addressOf(sent(keptEnds, ends, device)), addressOf(out));
  return out;
}

std::vector<at::Tensor> someTensors(at::Device device, double pace) {
  return {madeUp({3, 5}, device, pace), madeUp({40000}, device, pace + 1), madeUp({1}, device, pace)};
}

Trial tryLists(at::Device device) {
  const AdamW by{{1e-2, 0.5, {0.05, 0, 0.1}}, 0.9, 0.95, 1e-8, 3};
  Trial made;
  for (std::vector<at::Tensor>* into : {&made.found, &made.wanted}) {
    const auto parameters = someTensors(device, 0.3), gradients = someTensors(device, 0.7), first = someTensors(device, 1.3);
    auto second = someTensors(device, 0.9);
    for (at::Tensor& each : second) each.abs_();
    if (into == &made.found) {
      into->push_back(squares(parameters));
      update(parameters, gradients, first, second, by);
    } else {
      const WithoutKernels here;
      into->push_back(sumsOfSquares(parameters));
      adamw(parameters, gradients, first, second, by);
    }
    for (const auto& list : {parameters, first, second}) into->insert(into->end(), list.begin(), list.end());
    // A norm of zero divides nothing: the zeros are seen by what is added to them.
    for (const at::Tensor& gradient : gradients) into->push_back(gradient + 1);
  }
  return made;
}

bool trusted(at::Device device) {
  return kernelsMayServe(device) && serves("lists of tensors", device, 1e-5, [&] { return tryLists(device); });
}

}  // namespace

bool adamwByKernels(const std::vector<at::Tensor>& parameters, const std::vector<at::Tensor>& gradients, const std::vector<at::Tensor>& first,
                    const std::vector<at::Tensor>& second, const AdamW& at) {
  if (parameters.empty() || !trusted(parameters[0].device())) return false;
  update(parameters, gradients, first, second, at);
  return true;
}

std::optional<at::Tensor> sumsOfSquaresByKernels(const std::vector<at::Tensor>& tensors) {
  if (tensors.empty() || !trusted(tensors[0].device())) return std::nullopt;
  return squares(tensors);
}

}  // namespace patchstream
