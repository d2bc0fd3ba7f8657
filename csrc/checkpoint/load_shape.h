// From a config.json to what the model costs, without its weights.
#pragma once

#include <memory>
#include <string>

#include "csrc/model/model_shape.h"

namespace simba {

// path: a config.json of a Mamba-1 (either layout) or GPT-NeoX model, the folder that holds one, or
// a hub id as load_model() takes it. Throws InputError.
std::unique_ptr<ModelShape> load_shape(const std::string& path);

}  // namespace simba
