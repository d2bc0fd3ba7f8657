// Which files of a checkpoint folder hold its weights, in one piece or in shards.
#pragma once

#include <string>

#include "csrc/checkpoint/mapped_tensor.h"

namespace simba {

// The path of the first that exists of model.safetensors, model.safetensors.index.json,
// pytorch_model.bin, pytorch_model.bin.index.json. Throws InputError where there is none.
std::string find_weights(const std::string& dir);

// The tensors of such a file, or of all shards that an index names ({"weight_map": {tensor:
// shard}}). Throws InputError on whatever the format's reader refuses, and on a shard that lies
// outside the folder or lacks a tensor that the index promises.
NamedTensors read_weights(const std::string& path);

}  // namespace simba
