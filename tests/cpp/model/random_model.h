// Small Mamba models with seeded random weights, and random token sequences for them.
#pragma once

#include <cstdint>
#include <vector>

#include "csrc/model/packed_tokens.h"
#include "csrc/model/simba.h"

namespace simba::testing {

MambaConfig small_config();

// Weights of the magnitudes that Mamba's own initialisation gives. dtype: kFloat or kDouble.
Simba random_model(const MambaConfig& config, at::ScalarType dtype, std::uint64_t seed = 1);

std::vector<std::int64_t> random_ids(std::int64_t count, std::int64_t vocab_size,
                                     std::uint64_t seed);

PackedTokens one_sequence(const std::vector<std::int64_t>& ids);

}  // namespace simba::testing
