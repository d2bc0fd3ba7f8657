#include "csrc/checkpoint/load_model.h"

#include <filesystem>
#include <utility>

#include "csrc/checkpoint/hub_cache.h"
#include "csrc/checkpoint/model_family.h"
#include "csrc/model/gpt_neox/gpt_neox.h"
#include "csrc/model/simba.h"

namespace simba {

std::unique_ptr<LanguageModel> load_model(const std::string& dir,
                                          std::optional<at::ScalarType> dtype, at::Device device) {
  const std::string folder = find_model_dir(dir);
  const auto config = std::filesystem::path(folder) / "config.json";
  if (read_model_family(config.string()) == ModelFamily::kGptNeoX) {
    GptNeoXCheckpoint checkpoint = load_gpt_neox(folder, dtype, device);
    return std::make_unique<GptNeoX>(checkpoint.config, std::move(checkpoint.weights));
  }
  MambaCheckpoint checkpoint = load_mamba(folder, dtype, device);
  return std::make_unique<Simba>(checkpoint.config, std::move(checkpoint.weights));
}

}  // namespace simba
