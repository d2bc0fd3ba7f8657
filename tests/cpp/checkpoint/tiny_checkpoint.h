// A small Mamba-1 checkpoint of random weights, for tests that change one thing in it.
#pragma once

#include <string>

#include "csrc/checkpoint/mamba_config.h"
#include "csrc/checkpoint/mapped_tensor.h"

namespace simba::test {

// d_model 6, two layers, 10 words padded to 16, d_state 5, d_conv 3, expand 1.5 (d_inner 9),
// dt_rank 2; tied, RMSNorm, state-spaces layout. All sizes differ, so that no two shapes can be
// mistaken.
CheckpointConfig tiny_config();

// Its config.json; `changes` are further members ("\"rms_norm\":false,"), read before the others.
std::string tiny_config_json(const std::string& changes = "");

// The tensors that a checkpoint of this configuration holds: matrices bfloat16, vectors float32.
NamedTensors tiny_tensors(const CheckpointConfig& config);

}  // namespace simba::test
