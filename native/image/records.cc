#include "records.h"

#include <algorithm>

#include "sound.h"

namespace patchstream {

std::optional<Outcome> renderAlike(Renderer& renderer, Job& job, const Records& records) {
  if (!isRaw(job.kind) || job.steps.empty() || job.width <= 0 || job.height <= 0) return {};
  const Step& last = job.steps.back();
  if (last.pageWidth <= 0 || last.pageHeight <= 0) return {};
  job.length = static_cast<size_t>(job.width) * job.height * (job.kind == Kind::rgb ? 3 : 1);
  const size_t bytes = last.pageBytes();
  if (last.output != 0 || !isSound(job, {bytes})) return {};
  const size_t present = records.length / job.length;
  const bool inside = std::all_of(records.indices, records.indices + records.count,
                                  [present](int32_t index) { return index >= 0 && static_cast<size_t>(index) < present; });
  if (!inside || records.outLength / bytes < records.count) return {};
  job.outputs.resize(1);
  for (size_t i = 0; i < records.count; i++) {
    job.bytes = records.data + job.length * records.indices[i];
    job.outputs[0] = records.out + bytes * i;
    renderer.run(job);
    if (job.outcome != Outcome::done) return job.outcome;
  }
  return Outcome::done;
}

}  // namespace patchstream
