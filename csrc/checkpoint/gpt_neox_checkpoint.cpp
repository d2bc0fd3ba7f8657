// load_gpt_neox(): config.json and the weights of one folder. Declared in load_model.h.
#include <filesystem>
#include <optional>
#include <string>

#include "csrc/checkpoint/gpt_neox_config.h"
#include "csrc/checkpoint/gpt_neox_weight_names.h"
#include "csrc/checkpoint/hub_cache.h"
#include "csrc/checkpoint/load_model.h"
#include "csrc/checkpoint/weight_files.h"

namespace simba {

GptNeoXCheckpoint load_gpt_neox(const std::string& dir, std::optional<at::ScalarType> dtype,
                                at::Device device) {
  const std::string folder = find_model_dir(dir);
  const GptNeoXConfig config =
      read_gpt_neox_config((std::filesystem::path(folder) / "config.json").string());
  const std::string file = find_weights(folder);
  return {config, name_gpt_neox_weights(read_weights(file), config, dtype, device, file), file};
}

}  // namespace simba
