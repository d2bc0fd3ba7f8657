// A small GPT-NeoX model with seeded random weights.
#pragma once

#include <cstdint>

#include "csrc/model/gpt_neox/gpt_neox.h"

namespace simba::testing {

GptNeoXConfig small_gpt_neox_config();

// dtype: kFloat or kDouble.
GptNeoX random_gpt_neox(const GptNeoXConfig& config, at::ScalarType dtype, std::uint64_t seed = 1);

}  // namespace simba::testing
