// config.json of a Mamba-1 checkpoint, in either of its two layouts, to a MambaConfig.
#pragma once

#include <string>

#include "csrc/model/mamba_config.h"

namespace simba {

enum class Layout { kStateSpaces, kHuggingFace };

const char* layout_name(Layout layout);  // "state-spaces" | "huggingface"

struct CheckpointConfig {
  MambaConfig model;
  Layout layout = Layout::kStateSpaces;
};

// Reads the keys of the state-spaces package (d_model, n_layer, ssm_cfg, ...), or those of Hugging
// Face's MambaConfig (model_type "mamba": hidden_size, num_hidden_layers, ...); a key left out has
// the default it has there, but for d_model, n_layer and vocab_size, which must be there. Throws
// InputError naming the key, what was expected and what came; also on what is no Mamba-1 language
// model: Mamba-2, attention or MLP layers, another activation, another model_type.
CheckpointConfig read_mamba_config(const std::string& path);

}  // namespace simba
