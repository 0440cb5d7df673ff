#include "narrow.h"

#include <algorithm>
#include <array>

#include "fused/bfloat16.h"

namespace patchstream {

namespace {

// How an operation takes an input of bfloat16: not at all; as any numbers; by rounding to it whatever comes.
enum class Reading { kNone, kAsItComes, kRounds };

struct Reader {
  const char* operation;
  size_t input;
  Reading reading;
};
constexpr std::array<Reader, 8> readers{{{"PatchstreamLinear", 0, Reading::kRounds},
                                         {"PatchstreamLinearGrad", 0, Reading::kAsItComes},
                                         {"PatchstreamLinearGrad", 1, Reading::kRounds},
                                         {"PatchstreamLayerNormGrad", 0, Reading::kAsItComes},
                                         {"PatchstreamAttention", 0, Reading::kRounds},
                                         {"PatchstreamAttentionGrad", 0, Reading::kAsItComes},
                                         {"PatchstreamAttentionGrad", 1, Reading::kRounds},
                                         {"PatchstreamAttentionGrad", 2, Reading::kAsItComes}}};

// What its first result needs of those that read it; `kNone`: it gives float32 alone. An operation that keeps what it may not round takes no heed of the mark.
struct Maker {
  const char* operation;
  Reading needs;
};
constexpr std::array<Maker, 5> makers{{{"PatchstreamLinear", Reading::kRounds},
                                       {"PatchstreamLayerNorm", Reading::kRounds},
                                       {"PatchstreamLinearGrad", Reading::kAsItComes},
                                       {"PatchstreamAttention", Reading::kAsItComes},
                                       {"PatchstreamAttentionGrad", Reading::kAsItComes}}};

const std::string& nameOf(const Instruction& instruction) { return operations().names()[instruction.opcode]; }

// Those that multiply say last in which type; layer normalisation has none of its own.
bool isNarrow(const Instruction& instruction) {
  const std::string& name = nameOf(instruction);
  if (name == "PatchstreamLayerNorm" || name == "PatchstreamLayerNormGrad") return true;
  return !instruction.numbers.empty() && instruction.numbers.back() == static_cast<double>(Precision::kBfloat16);
}

Reading readingOf(const Instruction& instruction, size_t input) {
  if (!isNarrow(instruction)) return Reading::kNone;
  for (const Reader& reader : readers)
    if (reader.input == input && nameOf(instruction) == reader.operation) return reader.reading;
  return Reading::kNone;
}

}  // namespace

void markNarrow(std::vector<Instruction>& instructions, size_t places) {
  // The least that those who read a place allow; from behind, so that a reshape knows of its result's readers.
  std::vector<Reading> allowed(places, Reading::kRounds);
  for (auto instruction = instructions.rbegin(); instruction != instructions.rend(); ++instruction) {
    const bool same = nameOf(*instruction) == "Reshape";
    for (size_t i = 0; i < instruction->inputs.size(); i++) {
      const int32_t place = instruction->inputs[i];
      if (place < 0) continue;
      const Reading reading = same ? allowed[instruction->outputs[0]] : readingOf(*instruction, i);
      allowed[place] = std::min(allowed[place], reading);
    }
    for (const Maker& maker : makers)
      if (nameOf(*instruction) == maker.operation && isNarrow(*instruction)) instruction->narrow = allowed[instruction->outputs[0]] >= maker.needs;
  }
}

}  // namespace patchstream
