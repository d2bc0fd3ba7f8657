#include "csrc/model/mamba_flops.h"

namespace simba {
namespace {

struct PerToken {
  double before_emit;  // in_proj, conv, x_proj, dt_proj, scan: every token of the layer
  double out_proj;     // kept tokens only
  double influence;    // every token of a layer that drops some
};

PerToken per_token(const MambaConfig& config) {
  const double d_model = static_cast<double>(config.d_model);
  const double D = static_cast<double>(config.d_inner);
  const double N = static_cast<double>(config.d_state);
  const double K = static_cast<double>(config.d_conv);
  const double dt_rank = static_cast<double>(config.dt_rank);
  const double products = 2 * (d_model * 2 * D + K * D + D * (dt_rank + 2 * N) + dt_rank * D);
  return {products + 9 * D * N, 2 * D * d_model, 6 * D * N};
}

}  // namespace

FlopCount mamba_flops(const MambaConfig& config, std::int64_t T, const PruningPlan& plan,
                      std::int64_t continuation) {
  const PerToken cost = per_token(config);
  const auto tokens = plan.tokens_per_layer(T, config.n_layer);
  FlopCount count;
  for (std::int64_t layer = 0; layer < config.n_layer; ++layer) {
    const bool last = layer + 1 == config.n_layer;
    const std::int64_t after = last ? (plan.is_dense() ? T : 1) : tokens[layer + 1];
    const double entering = static_cast<double>(tokens[layer]);
    count.prefill += entering * cost.before_emit + static_cast<double>(after) * cost.out_proj;
    // After the last layer the token that is read is known without scores.
    if (plan.uses_influence() && !last && after < tokens[layer]) {
      count.scores += entering * cost.influence;
    }
  }
  const double further = static_cast<double>(continuation);
  count.continuation =
      further * static_cast<double>(config.n_layer) * (cost.before_emit + cost.out_proj);
  count.head = (1 + further) * 2 * static_cast<double>(config.d_model * config.vocab_size);
  return count;
}

}  // namespace simba
