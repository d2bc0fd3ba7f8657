// FLOPs of a Mamba-1 model by the counts of flops.h.
#pragma once

#include <cstdint>

#include "csrc/model/flops.h"
#include "csrc/model/mamba_config.h"
#include "csrc/model/pruning_plan.h"

namespace simba {

// One sequence: a context of T >= 1 tokens under the plan, logits read once after it, then
// `continuation` tokens read densely with their logits.
FlopCount mamba_flops(const MambaConfig& config, std::int64_t T, const PruningPlan& plan,
                      std::int64_t continuation);

}  // namespace simba
