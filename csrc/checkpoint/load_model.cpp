#include "csrc/checkpoint/load_model.h"

#include <utility>

#include "csrc/model/simba.h"

namespace simba {

std::unique_ptr<LanguageModel> load_model(const std::string& dir,
                                          std::optional<at::ScalarType> dtype, at::Device device) {
  MambaCheckpoint checkpoint = load_mamba(dir, dtype, device);
  return std::make_unique<Simba>(std::move(checkpoint.config), std::move(checkpoint.weights));
}

}  // namespace simba
