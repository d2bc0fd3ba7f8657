#include "csrc/model/gpt_neox/shape.h"

#include "csrc/input_error.h"

namespace simba {

std::int64_t gpt_neox_parameters(const GptNeoXConfig& config) {
  const std::int64_t d_model = config.d_model;
  const std::int64_t norm = 2 * d_model;
  const std::int64_t attention = 4 * d_model * d_model + (config.attention_bias ? 4 * d_model : 0);
  const std::int64_t mlp = 2 * d_model * config.d_mlp + config.d_mlp + d_model;
  const std::int64_t tables = (config.tie_embeddings ? 1 : 2) * config.vocab_size * d_model;
  return tables + norm + config.n_layer * (2 * norm + attention + mlp);
}

FlopCount gpt_neox_flops(const GptNeoXConfig& config, std::int64_t T, const PruningPlan& plan,
                         std::int64_t continuation) {
  check_dense(plan);
  const double d_model = static_cast<double>(config.d_model);
  const double n_layer = static_cast<double>(config.n_layer);
  const double projections =
      2 * (4 * d_model * d_model + 2 * d_model * static_cast<double>(config.d_mlp));
  const double per_pair = 2 * d_model + 2 * d_model;  // Q K^T, then P V, over all heads
  const auto layers_over = [&](double tokens) {
    return n_layer * (tokens * projections + tokens * (tokens + 1) / 2 * per_pair);
  };
  const double context = static_cast<double>(T);
  const double further = static_cast<double>(continuation);
  FlopCount count;
  count.prefill = layers_over(context);
  count.continuation = layers_over(context + further) - layers_over(context);
  count.head = (1 + further) * 2 * d_model * static_cast<double>(config.vocab_size);
  return count;
}

void check_dense(const PruningPlan& plan) {
  if (plan.is_dense()) return;
  throw InputError("plan: a GPT-NeoX model reads every token, expected dense, got " + plan.name());
}

}  // namespace simba
