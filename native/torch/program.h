// Steps that are recorded once and replayed: what an environment did between two moments, as a list of calls without JavaScript.
#pragma once

#include <memory>
#include <optional>
#include <unordered_map>

#include "capture.h"
#include "device/environment.h"

namespace patchstream {

// Every tensor of a program has a place. Places are numbered as tensors first appear, so that equal recordings have equal numbers.
struct Place {
  enum Origin {
    kGiven,     // handed over with each replay
    kOutside,   // was there before: a parameter, a sum, a constant
    kWritten,   // uploaded while recording, the same in every replay
    kComputed,  // an output
  };
  Origin origin;
  Handle handle = -1;  // of what was outside
  at::Tensor tensor;   // what was written
  std::vector<int64_t> shape;  // of what is given
};

struct Instruction {
  int32_t opcode;
  std::vector<int32_t> inputs;  // places, -1 for none
  std::vector<double> numbers;
  std::vector<int32_t> outputs;
  std::vector<int32_t> last;  // computed places that nobody needs after this
  bool narrow = false;        // whether the first output may be of bfloat16
};

// Why two recordings are not of one program, and at which operation.
struct Difference {
  enum Kind { kNone, kWrite, kSequence };
  Kind kind = kNone;
  std::string operation;
};

class Program {
 public:
  // False, and nothing was done, when something that was outside has been freed since. When an operation throws, what was computed is freed;
  // operations in place that ran before it have been done.
  bool replay(const Environment& environment, const std::vector<Handle>& given) const;

  // As `replay`, by one launch of all that it does: what is given is copied into tensors that stay, and the work on these is captured (capture.h) when this is called
  // for the first time, and again where something that was outside lies elsewhere than it did. Throws where it cannot be captured; then nothing was done.
  bool launch(const Environment& environment, const std::vector<Handle>& given);
  // How often the work was captured.
  size_t captures() const { return captures_; }

  // How many sums the newest replay or launch has added to, also when it has thrown.
  size_t additions() const { return additions_; }

  // The first difference from an earlier recording.
  Difference from(const Program& earlier) const;

  size_t calls() const { return instructions_.size(); }
  // How many of its results may be of bfloat16 (narrow.h).
  size_t narrow() const;
  // What cannot be replayed: the operation whose output was read back, that something from before was freed, that something stayed.
  const std::string& reads() const { return reads_; }
  bool frees() const { return frees_; }
  bool keeps() const { return keeps_; }

 private:
  friend class Recorder;
  std::string readerOf(int32_t place) const;
  // What lies at each place before the first instruction; nothing when something that was outside has been freed since.
  std::optional<std::vector<at::Tensor>> begin(const Environment& environment, const std::vector<Handle>& given) const;
  void run(std::vector<at::Tensor> tensors, at::Device device) const;

  // What a captured program works on: tensors of its own for what is given, and where that which was outside lay.
  struct Standing {
    std::vector<at::Tensor> tensors;
    std::vector<const void*> addresses;
    std::unique_ptr<Capture> capture;
  };

  std::vector<Place> places_;
  std::vector<Instruction> instructions_;
  std::optional<Standing> standing_;
  size_t captures_ = 0;
  size_t sums_ = 0;  // to which one pass adds
  mutable size_t additions_ = 0;
  std::string reads_;
  bool frees_ = false;
  bool keeps_ = false;
};

// Watches an environment and writes down what it does.
class Recorder : public Observer {
 public:
  Recorder(const Environment& environment, const std::vector<Handle>& given);

  void ran(int32_t opcode, const std::vector<Handle>& inputs, const double* numbers, int count,
           const std::vector<Handle>& outputs) override;
  void uploaded(Handle handle, const at::Tensor& tensor) override;
  void downloaded(Handle handle) override;
  void freed(Handle handle) override;

  std::unique_ptr<Program> finish();

 private:
  int32_t add(Handle handle, Place place);
  int32_t find(Handle handle);

  std::unique_ptr<Program> program_ = std::make_unique<Program>();
  std::unordered_map<Handle, int32_t> places_;
};

// The programs of an environment by number, and the recording that is under way.
class Programs {
 public:
  void record(Environment& environment, const std::vector<Handle>& given);
  // The number of what was recorded.
  int32_t stop(Environment& environment);
  Program& get(int32_t number) const;
  void discard(int32_t number);

 private:
  std::unique_ptr<Recorder> recorder_;
  std::unordered_map<int32_t, std::unique_ptr<Program>> programs_;
  int32_t next_ = 0;
};

}  // namespace patchstream
