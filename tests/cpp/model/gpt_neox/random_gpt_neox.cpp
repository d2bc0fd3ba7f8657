#include "tests/cpp/model/gpt_neox/random_gpt_neox.h"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/ops/randn.h>

#include <cmath>
#include <utility>

namespace simba::testing {

GptNeoXConfig small_gpt_neox_config() {
  GptNeoXConfig config;
  config.d_model = 30;
  config.n_layer = 3;
  config.n_head = 3;
  config.d_mlp = 52;
  config.vocab_size = 40;
  config.max_length = 80;
  config.rotary_dim = 4;
  return config;
}

GptNeoX random_gpt_neox(const GptNeoXConfig& config, at::ScalarType dtype, std::uint64_t seed) {
  at::Generator generator = at::detail::createCPUGenerator(seed);
  const auto normal = [&](at::IntArrayRef shape, double scale) {
    return at::randn(shape, generator, at::TensorOptions(at::kDouble)).mul_(scale).to(dtype);
  };
  const auto matrix = [&](std::int64_t out, std::int64_t in) {
    return normal({out, in}, 1.5 / std::sqrt(static_cast<double>(in)));
  };
  const std::int64_t d_model = config.d_model;
  GptNeoXWeights weights;
  weights.embedding = matrix(config.vocab_size, d_model);
  for (std::int64_t l = 0; l < config.n_layer; ++l) {
    GptNeoXLayerWeights layer;
    layer.attention_norm_weight = normal({d_model}, 0.2).add_(1);
    layer.attention_norm_bias = normal({d_model}, 0.2);
    layer.query_key_value = matrix(3 * d_model, d_model);
    layer.query_key_value_bias = normal({3 * d_model}, 0.3);
    layer.attention_out = matrix(d_model, d_model);
    layer.attention_out_bias = normal({d_model}, 0.3);
    layer.mlp_norm_weight = normal({d_model}, 0.2).add_(1);
    layer.mlp_norm_bias = normal({d_model}, 0.2);
    layer.mlp_in = matrix(config.d_mlp, d_model);
    layer.mlp_in_bias = normal({config.d_mlp}, 0.3);
    layer.mlp_out = matrix(d_model, config.d_mlp);
    layer.mlp_out_bias = normal({d_model}, 0.3);
    weights.layers.push_back(layer);
  }
  weights.final_norm_weight = normal({d_model}, 0.2).add_(1);
  weights.final_norm_bias = normal({d_model}, 0.2);
  weights.lm_head = matrix(config.vocab_size, d_model);
  return GptNeoX(config, std::move(weights));
}

}  // namespace simba::testing
