#include "tests/cpp/model/random_model.h"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/full.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/zeros.h>

#include <cmath>
#include <random>

namespace simba::testing {

MambaConfig small_config() {
  MambaConfig config;
  config.d_model = 24;
  config.n_layer = 5;
  config.vocab_size = 40;
  config.d_state = 8;
  config.d_inner = 48;
  config.dt_rank = 3;
  return config;
}

Simba random_model(const MambaConfig& config, at::ScalarType dtype, std::uint64_t seed) {
  at::Generator generator = at::detail::createCPUGenerator(seed);
  const auto normal = [&](at::IntArrayRef shape, double scale) {
    return at::randn(shape, generator, at::TensorOptions(at::kDouble)).mul_(scale).to(dtype);
  };
  const auto constant = [&](std::int64_t size, double value) {
    return at::full({size}, value, at::TensorOptions(dtype));
  };
  const auto fan_in = [](std::int64_t size) { return 1 / std::sqrt(static_cast<double>(size)); };
  const std::int64_t D = config.d_inner;
  const std::int64_t d_model = config.d_model;
  MambaWeights weights;
  weights.embedding = normal({config.vocab_size, d_model}, 0.5);
  for (std::int64_t l = 0; l < config.n_layer; ++l) {
    MambaLayerWeights layer;
    layer.norm_weight = normal({d_model}, 0.1).add_(1);
    if (!config.rms_norm) layer.norm_bias = normal({d_model}, 0.1);
    layer.in_proj = normal({2 * D, d_model}, fan_in(d_model));
    layer.conv_weight = normal({D, config.d_conv}, 0.5);
    layer.conv_bias = normal({D}, 0.1);
    layer.x_proj = normal({config.dt_rank + 2 * config.d_state, D}, 2 * fan_in(D));
    layer.dt_proj = normal({D, config.dt_rank}, fan_in(config.dt_rank));
    layer.dt_bias = normal({D}, 0.5).sub_(3);
    layer.A = at::arange(1, config.d_state + 1, at::TensorOptions(dtype))
                  .neg()
                  .expand({D, -1})
                  .contiguous();
    layer.D = constant(D, 1);
    layer.out_proj = normal({d_model, D}, fan_in(D));
    weights.layers.push_back(layer);
  }
  weights.final_norm_weight = constant(d_model, 1);
  if (!config.rms_norm) weights.final_norm_bias = constant(d_model, 0.1);
  weights.lm_head =
      config.tie_embeddings ? weights.embedding : normal({config.vocab_size, d_model}, 0.5);
  return Simba(config, std::move(weights));
}

std::vector<std::int64_t> random_ids(std::int64_t count, std::int64_t vocab_size,
                                     std::uint64_t seed) {
  std::mt19937_64 engine(seed);
  std::vector<std::int64_t> ids(static_cast<std::size_t>(count));
  for (auto& id : ids)
    id = static_cast<std::int64_t>(engine() % static_cast<std::uint64_t>(vocab_size));
  return ids;
}

PackedTokens one_sequence(const std::vector<std::int64_t>& ids) {
  PackedTokens tokens;
  tokens.append(ids);
  return tokens;
}

}  // namespace simba::testing
