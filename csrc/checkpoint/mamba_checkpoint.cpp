// load_mamba(): config.json and the weights of one folder. Declared in load_model.h.
#include <filesystem>
#include <optional>
#include <string>

#include "csrc/checkpoint/hub_cache.h"
#include "csrc/checkpoint/load_model.h"
#include "csrc/checkpoint/mamba_config.h"
#include "csrc/checkpoint/weight_files.h"
#include "csrc/checkpoint/weight_names.h"

namespace simba {

MambaCheckpoint load_mamba(const std::string& dir, std::optional<at::ScalarType> dtype,
                           at::Device device) {
  const std::string folder = find_model_dir(dir);
  const CheckpointConfig config =
      read_mamba_config((std::filesystem::path(folder) / "config.json").string());
  const std::string file = find_weights(folder);
  return {config.model, name_weights(read_weights(file), config, dtype, device, file),
          layout_name(config.layout), file};
}

}  // namespace simba
