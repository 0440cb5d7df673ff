#include "program.h"

#include <algorithm>
#include <cstring>

#include "device/device.h"
#include "fused/tiles/tiles.h"
#include "narrow.h"

namespace patchstream {

namespace {

const std::string& nameOf(int32_t opcode) { return operations().names()[opcode]; }

bool sameNumbers(const at::Tensor& a, const at::Tensor& b) {
  if (a.scalar_type() != b.scalar_type() || a.sizes() != b.sizes()) return false;
  // By their bytes, as what is not a number is no number's equal.
  const at::Tensor x = a.to(at::kCPU).contiguous();
  const at::Tensor y = b.to(at::kCPU).contiguous();
  return std::memcmp(cpuBytes(x), cpuBytes(y), x.nbytes()) == 0;
}

}  // namespace

std::optional<std::vector<at::Tensor>> Program::begin(const Environment& environment, const std::vector<Handle>& given) const {
  std::vector<at::Tensor> tensors(places_.size());
  for (size_t i = 0; i < places_.size(); i++) {
    const Place& place = places_[i];
    if (place.origin == Place::kGiven) {
      TORCH_CHECK(i < given.size(), "a replay is given as many tensors as its recording");
      tensors[i] = environment.table.get(given[i]);
      TORCH_CHECK(tensors[i].sizes() == at::IntArrayRef(place.shape), "a replay is given tensors of its recording's shapes");
    } else if (place.origin == Place::kOutside) {
      if (!environment.table.holds(place.handle)) return std::nullopt;
      tensors[i] = environment.table.get(place.handle);
    } else {
      tensors[i] = place.tensor;
    }
  }
  return tensors;
}

void Program::run(std::vector<at::Tensor> tensors, at::Device device) const {
  const Replaying now;
  static const int32_t addition = [] {
    const auto& names = operations().names();
    return static_cast<int32_t>(std::find(names.begin(), names.end(), "PatchstreamAccumulate") - names.begin());
  }();
  additions_ = 0;
  // Of the loops on the host those for tiles read and write bfloat16.
  const bool mayNarrow = !onHost(device) || hostHasTiles();
  std::vector<at::Tensor> inputs;
  for (const Instruction& instruction : instructions_) {
    inputs.clear();
    for (const int32_t place : instruction.inputs) inputs.push_back(place < 0 ? at::Tensor() : tensors[place]);
    Call call(inputs, instruction.numbers.data(), static_cast<int>(instruction.numbers.size()), device);
    call.narrow = instruction.narrow && mayNarrow;
    try {
      operations().run(instruction.opcode, call);
    } catch (c10::Error& error) {
      error.add_context(nameOf(instruction.opcode));
      throw;
    }
    if (instruction.opcode == addition) additions_++;
    inputs.clear();
    for (size_t i = 0; i < instruction.outputs.size(); i++) tensors[instruction.outputs[i]] = call.outputs[i].contiguous();
    call.outputs.clear();
    for (const int32_t place : instruction.last) tensors[place].reset();
  }
}

bool Program::replay(const Environment& environment, const std::vector<Handle>& given) const {
  additions_ = 0;
  auto tensors = begin(environment, given);
  if (!tensors.has_value()) return false;
  run(std::move(*tensors), environment.device);
  return true;
}

bool Program::launch(const Environment& environment, const std::vector<Handle>& given) {
  additions_ = 0;
  auto tensors = begin(environment, given);
  if (!tensors.has_value()) return false;
  std::vector<const void*> addresses;
  for (size_t i = 0; i < places_.size(); i++)
    if (places_[i].origin == Place::kOutside) addresses.push_back(addressOf((*tensors)[i]));
  if (!standing_.has_value() || standing_->addresses != addresses) {
    // The memory of the capture before is there for this one.
    standing_.reset();
    Standing made{*tensors, addresses, captureFor(environment.device)};
    TORCH_CHECK(made.capture != nullptr, "this libtorch has no graphs for ", environment.device);
    for (size_t i = 0; i < places_.size(); i++)
      if (places_[i].origin == Place::kGiven) made.tensors[i] = at::empty_like((*tensors)[i]);
    made.capture->take([this, tensors = made.tensors, device = environment.device] { run(tensors, device); });
    additions_ = 0;
    standing_ = std::move(made);
    captures_++;
  }
  for (size_t i = 0; i < places_.size(); i++)
    if (places_[i].origin == Place::kGiven) standing_->tensors[i].copy_((*tensors)[i]);
  standing_->capture->launch();
  additions_ = sums_;
  return true;
}

Difference Program::from(const Program& earlier) const {
  const size_t count = std::max(instructions_.size(), earlier.instructions_.size());
  for (size_t i = 0; i < count; i++) {
    const bool longer = i >= earlier.instructions_.size();
    if (longer || i >= instructions_.size()) {
      return {Difference::kSequence, nameOf((longer ? *this : earlier).instructions_[i].opcode)};
    }
    const Instruction& a = earlier.instructions_[i];
    const Instruction& b = instructions_[i];
    if (a.opcode != b.opcode || a.inputs != b.inputs || a.outputs != b.outputs || a.numbers != b.numbers) {
      return {Difference::kSequence, nameOf(b.opcode)};
    }
  }
  if (places_.size() != earlier.places_.size()) return {Difference::kSequence, ""};
  for (size_t i = 0; i < places_.size(); i++) {
    const Place& a = earlier.places_[i];
    const Place& b = places_[i];
    const std::string reader = readerOf(static_cast<int32_t>(i));
    if (a.origin != b.origin || a.handle != b.handle || a.shape != b.shape) return {Difference::kSequence, reader};
    if (b.origin == Place::kWritten && !sameNumbers(a.tensor, b.tensor)) return {Difference::kWrite, reader};
  }
  return {};
}

size_t Program::narrow() const {
  return static_cast<size_t>(std::count_if(instructions_.begin(), instructions_.end(), [](const Instruction& each) { return each.narrow; }));
}

std::string Program::readerOf(int32_t place) const {
  for (const Instruction& instruction : instructions_) {
    for (const int32_t input : instruction.inputs) {
      if (input != place) continue;
      // A new shape or dtype tells nothing; what reads the result does.
      const std::string& name = nameOf(instruction.opcode);
      if (name != "Reshape" && name != "Cast") return name;
      const std::string further = readerOf(instruction.outputs[0]);
      return further.empty() ? name : further;
    }
  }
  return "";
}

Recorder::Recorder(const Environment& environment, const std::vector<Handle>& given) {
  for (const Handle handle : given) add(handle, {Place::kGiven, -1, {}, environment.table.get(handle).sizes().vec()});
}

int32_t Recorder::add(Handle handle, Place place) {
  const auto number = static_cast<int32_t>(program_->places_.size());
  program_->places_.push_back(std::move(place));
  places_[handle] = number;
  return number;
}

int32_t Recorder::find(Handle handle) {
  const auto found = places_.find(handle);
  return found == places_.end() ? add(handle, {Place::kOutside, handle, {}, {}}) : found->second;
}

void Recorder::ran(int32_t opcode, const std::vector<Handle>& inputs, const double* numbers, int count,
                   const std::vector<Handle>& outputs) {
  Instruction instruction{opcode, {}, {numbers, numbers + count}, {}, {}};
  for (const Handle handle : inputs) instruction.inputs.push_back(handle < 0 ? -1 : find(handle));
  for (const Handle handle : outputs) instruction.outputs.push_back(add(handle, {Place::kComputed, -1, {}, {}}));
  program_->instructions_.push_back(std::move(instruction));
}

void Recorder::uploaded(Handle handle, const at::Tensor& tensor) { add(handle, {Place::kWritten, -1, tensor, {}}); }

void Recorder::downloaded(Handle handle) {
  if (!program_->reads_.empty()) return;
  program_->reads_ = "an input";
  const auto found = places_.find(handle);
  if (found == places_.end()) return;
  for (const Instruction& instruction : program_->instructions_) {
    for (const int32_t output : instruction.outputs) {
      if (output == found->second) program_->reads_ = nameOf(instruction.opcode);
    }
  }
}

void Recorder::freed(Handle handle) {
  const auto found = places_.find(handle);
  const auto origin = found == places_.end() ? Place::kOutside : program_->places_[found->second].origin;
  if (origin == Place::kOutside || origin == Place::kGiven) program_->frees_ = true;
  if (found != places_.end()) places_.erase(found);
}

std::unique_ptr<Program> Recorder::finish() {
  for (const auto& [handle, number] : places_) {
    const auto origin = program_->places_[number].origin;
    if (origin == Place::kWritten || origin == Place::kComputed) program_->keeps_ = true;
  }
  // From behind: the first to name a computed place is the last to need it.
  std::vector<bool> needed(program_->places_.size());
  auto& instructions = program_->instructions_;
  for (auto instruction = instructions.rbegin(); instruction != instructions.rend(); ++instruction) {
    for (const auto* places : {&instruction->inputs, &instruction->outputs}) {
      for (const int32_t place : *places) {
        if (place < 0 || needed[place] || program_->places_[place].origin != Place::kComputed) continue;
        needed[place] = true;
        instruction->last.push_back(place);
      }
    }
  }
  markNarrow(instructions, program_->places_.size());
  for (const Instruction& instruction : instructions)
    if (nameOf(instruction.opcode) == "PatchstreamAccumulate") program_->sums_++;
  return std::move(program_);
}

void Programs::record(Environment& environment, const std::vector<Handle>& given) {
  TORCH_CHECK(recorder_ == nullptr, "a recording is under way");
  recorder_ = std::make_unique<Recorder>(environment, given);
  environment.observer = recorder_.get();
}

int32_t Programs::stop(Environment& environment) {
  TORCH_CHECK(recorder_ != nullptr, "no recording is under way");
  environment.observer = nullptr;
  programs_[next_] = recorder_->finish();
  recorder_.reset();
  return next_++;
}

Program& Programs::get(int32_t number) const {
  const auto found = programs_.find(number);
  TORCH_CHECK(found != programs_.end(), "no program ", number);
  return *found->second;
}

void Programs::discard(int32_t number) { programs_.erase(number); }

}  // namespace patchstream
