// The one table from the names of tensors in a checkpoint to the members of MambaWeights.
#pragma once

#include <ATen/core/Tensor.h>

#include <optional>
#include <string>

#include "csrc/checkpoint/mamba_config.h"
#include "csrc/checkpoint/mapped_tensor.h"
#include "csrc/model/mamba_weights.h"

namespace simba {

// Places every tensor, converted as load_mamba() says (csrc/checkpoint/load_model.h); what needs no
// conversion keeps its memory. `file` begins every error. Throws InputError on a missing,
// unexpected or non-floating tensor, on a shape that differs from the configuration's, and on an
// lm_head.weight that differs from the embedding of a tied checkpoint.
MambaWeights name_weights(NamedTensors tensors, const CheckpointConfig& config,
                          std::optional<at::ScalarType> dtype, at::Device device,
                          const std::string& file);

}  // namespace simba
