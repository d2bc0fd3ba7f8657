#include "csrc/checkpoint/model_family.h"

#include <nlohmann/json.hpp>

#include "csrc/checkpoint/config_keys.h"
#include "csrc/checkpoint/json_file.h"

namespace simba {

ModelFamily read_model_family(const std::string& config_path) {
  const nlohmann::json object = read_json_object(config_path);
  const ConfigKeys keys(object, config_path);
  const std::string type = keys.text("model_type", "mamba");
  if (type == "mamba") return ModelFamily::kMamba;
  if (type == "gpt_neox") return ModelFamily::kGptNeoX;
  keys.refuse("model_type", "\"mamba\" or \"gpt_neox\"", type);
}

}  // namespace simba
