// Which model a config.json describes.
#pragma once

#include <string>

namespace simba {

enum class ModelFamily { kMamba, kGptNeoX };

// By model_type; the state-spaces layout has none and is known by its d_model. Throws InputError
// naming the families that there are.
ModelFamily read_model_family(const std::string& config_path);

}  // namespace simba
