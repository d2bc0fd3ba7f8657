// The one table from the names of tensors in a Hugging Face GPT-NeoX checkpoint to the members of
// GptNeoXWeights.
#pragma once

#include <ATen/core/Tensor.h>

#include <optional>
#include <string>

#include "csrc/checkpoint/mapped_tensor.h"
#include "csrc/model/gpt_neox/config.h"
#include "csrc/model/gpt_neox/weights.h"

namespace simba {

// Places every tensor, converted as load_gpt_neox() says (csrc/checkpoint/load_model.h); what needs
// no conversion keeps its memory. The head is embed_out.weight, or lm_head.weight as newer writers
// call it. The constants that published checkpoints hold beside the weights (attention masks,
// rotary frequencies) are not read. `file` begins every error. Throws InputError on a missing,
// unexpected or non-floating tensor, on a shape that differs from the configuration's, and on a
// head that differs from the embedding of a tied checkpoint.
GptNeoXWeights name_gpt_neox_weights(NamedTensors tensors, const GptNeoXConfig& config,
                                     std::optional<at::ScalarType> dtype, at::Device device,
                                     const std::string& file);

}  // namespace simba
