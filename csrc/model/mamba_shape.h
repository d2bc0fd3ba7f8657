// The shape of a Mamba-1 model: a configuration without weights.
#pragma once

#include "csrc/model/mamba_config.h"
#include "csrc/model/model_shape.h"

namespace simba {

std::int64_t mamba_parameters(const MambaConfig& config);

class MambaShape final : public ModelShape {
 public:
  explicit MambaShape(const MambaConfig& config) : config_(config) {}

  FlopCount flops(std::int64_t T, const PruningPlan& plan,
                  std::int64_t continuation) const override;
  std::int64_t n_layer() const override { return config_.n_layer; }
  std::int64_t vocab_size() const override { return config_.vocab_size; }
  std::int64_t parameters() const override { return mamba_parameters(config_); }
  std::optional<std::int64_t> max_length() const override { return std::nullopt; }
  std::string family() const override { return "mamba"; }

 private:
  MambaConfig config_;
};

}  // namespace simba
