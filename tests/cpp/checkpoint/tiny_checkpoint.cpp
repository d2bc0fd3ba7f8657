#include "tests/cpp/checkpoint/tiny_checkpoint.h"

#include <ATen/ops/arange.h>

#include <cstdint>
#include <vector>

namespace simba::test {

CheckpointConfig tiny_config() {
  CheckpointConfig config;
  config.model.d_model = 6;
  config.model.n_layer = 2;
  config.model.vocab_size = 16;
  config.model.d_state = 5;
  config.model.d_conv = 3;
  config.model.d_inner = 9;
  config.model.dt_rank = 2;
  return config;
}

std::string tiny_config_json(const std::string& changes) {
  return "{" + changes +
         "\"d_model\":6,\"n_layer\":2,\"vocab_size\":10,\"pad_vocab_size_multiple\":8,"
         "\"ssm_cfg\":{\"d_state\":5,\"d_conv\":3,\"expand\":1.5,\"dt_rank\":2}}";
}

NamedTensors tiny_tensors(const CheckpointConfig& config) {
  const MambaConfig& m = config.model;
  NamedTensors tensors;
  // Different values in every tensor, exact in bfloat16.
  const auto add = [&](const std::string& name, const std::vector<std::int64_t>& shape,
                       at::ScalarType dtype) {
    std::int64_t count = 1;
    for (const std::int64_t size : shape) count *= size;
    const auto start = static_cast<std::int64_t>(tensors.size());
    tensors[name] = at::arange(start, start + count, at::kFloat).div(16).to(dtype).reshape(shape);
  };
  const bool hugging_face = config.layout == Layout::kHuggingFace;
  add(hugging_face ? "backbone.embeddings.weight" : "backbone.embedding.weight",
      {m.vocab_size, m.d_model}, at::kBFloat16);
  for (std::int64_t i = 0; i < m.n_layer; ++i) {
    const std::string layer = "backbone.layers." + std::to_string(i) + ".",
                      mixer = layer + "mixer.";
    add(layer + "norm.weight", {m.d_model}, at::kFloat);
    if (!m.rms_norm) add(layer + "norm.bias", {m.d_model}, at::kFloat);
    add(mixer + "in_proj.weight", {2 * m.d_inner, m.d_model}, at::kBFloat16);
    if (m.projection_bias) add(mixer + "in_proj.bias", {2 * m.d_inner}, at::kFloat);
    add(mixer + "conv1d.weight", {m.d_inner, 1, m.d_conv}, at::kFloat);
    if (m.conv_bias) add(mixer + "conv1d.bias", {m.d_inner}, at::kFloat);
    add(mixer + "x_proj.weight", {m.dt_rank + 2 * m.d_state, m.d_inner}, at::kBFloat16);
    add(mixer + "dt_proj.weight", {m.d_inner, m.dt_rank}, at::kBFloat16);
    add(mixer + "dt_proj.bias", {m.d_inner}, at::kFloat);
    add(mixer + "A_log", {m.d_inner, m.d_state}, at::kFloat);
    add(mixer + "D", {m.d_inner}, at::kFloat);
    add(mixer + "out_proj.weight", {m.d_model, m.d_inner}, at::kBFloat16);
    if (m.projection_bias) add(mixer + "out_proj.bias", {m.d_model}, at::kFloat);
  }
  add("backbone.norm_f.weight", {m.d_model}, at::kFloat);
  if (!m.rms_norm) add("backbone.norm_f.bias", {m.d_model}, at::kFloat);
  if (!m.tie_embeddings) add("lm_head.weight", {m.vocab_size, m.d_model}, at::kBFloat16);
  return tensors;
}

}  // namespace simba::test
