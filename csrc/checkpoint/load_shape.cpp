#include "csrc/checkpoint/load_shape.h"

#include <filesystem>

#include "csrc/checkpoint/gpt_neox_config.h"
#include "csrc/checkpoint/hub_cache.h"
#include "csrc/checkpoint/mamba_config.h"
#include "csrc/checkpoint/model_family.h"
#include "csrc/model/gpt_neox/shape.h"
#include "csrc/model/mamba_shape.h"

namespace simba {
namespace {

namespace fs = std::filesystem;

std::string find_config(const std::string& path) {
  std::error_code ignored;
  if (fs::is_regular_file(path, ignored)) return path;
  return (fs::path(find_model_dir(path)) / "config.json").string();
}

}  // namespace

std::unique_ptr<ModelShape> load_shape(const std::string& path) {
  const std::string config = find_config(path);
  if (read_model_family(config) == ModelFamily::kGptNeoX) {
    return std::make_unique<GptNeoXShape>(read_gpt_neox_config(config));
  }
  return std::make_unique<MambaShape>(read_mamba_config(config).model);
}

}  // namespace simba
