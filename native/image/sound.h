#pragma once

#include <cstddef>
#include <vector>

#include "job.h"

namespace patchstream {

// Whether the numbers of a job fit together: its boxes lie inside their sources, its pages are as large as `lengths` of its outputs.
bool isSound(const Job& job, const std::vector<size_t>& lengths);

}  // namespace patchstream
