#include "csrc/model/mamba_shape.h"

#include "csrc/model/mamba_flops.h"

namespace simba {

std::int64_t mamba_parameters(const MambaConfig& config) {
  const std::int64_t d_model = config.d_model;
  const std::int64_t D = config.d_inner;
  const std::int64_t N = config.d_state;
  const std::int64_t norm = config.rms_norm ? d_model : 2 * d_model;
  const std::int64_t in_proj = 2 * D * d_model + (config.projection_bias ? 2 * D : 0);
  const std::int64_t conv = D * config.d_conv + (config.conv_bias ? D : 0);
  const std::int64_t x_proj = (config.dt_rank + 2 * N) * D;
  const std::int64_t dt_proj = D * config.dt_rank + D;
  const std::int64_t A_and_D = D * N + D;
  const std::int64_t out_proj = d_model * D + (config.projection_bias ? d_model : 0);
  const std::int64_t tables = (config.tie_embeddings ? 1 : 2) * config.vocab_size * d_model;
  return tables + norm +
         config.n_layer * (norm + in_proj + conv + x_proj + dt_proj + A_and_D + out_proj);
}

FlopCount MambaShape::flops(std::int64_t T, const PruningPlan& plan,
                            std::int64_t continuation) const {
  return mamba_flops(config_, T, plan, continuation);
}

}  // namespace simba
