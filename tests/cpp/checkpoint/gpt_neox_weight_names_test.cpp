#include "csrc/checkpoint/gpt_neox_weight_names.h"

#include <ATen/ops/arange.h>
#include <ATen/ops/ones.h>
#include <gtest/gtest.h>

#include <string>

#include "tests/cpp/refusal.h"

namespace simba::test {
namespace {

// All sizes differ, so that no two shapes can be mistaken.
GptNeoXConfig tiny() {
  GptNeoXConfig config;
  config.d_model = 4;
  config.n_layer = 2;
  config.n_head = 2;
  config.d_mlp = 7;
  config.vocab_size = 9;
  config.rotary_dim = 2;
  return config;
}

// Different values in every tensor, exact in bfloat16.
NamedTensors tensors(const GptNeoXConfig& config) {
  NamedTensors all;
  const auto add = [&](const std::string& name, const std::vector<std::int64_t>& shape) {
    std::int64_t count = 1;
    for (const std::int64_t size : shape) count *= size;
    const auto start = static_cast<std::int64_t>(all.size());
    all[name] =
        at::arange(start, start + count, at::kFloat).div(16).to(at::kBFloat16).reshape(shape);
  };
  const std::int64_t d = config.d_model;
  add("gpt_neox.embed_in.weight", {config.vocab_size, d});
  for (std::int64_t i = 0; i < config.n_layer; ++i) {
    const std::string layer = "gpt_neox.layers." + std::to_string(i) + ".";
    for (const char* norm : {"input_layernorm", "post_attention_layernorm"}) {
      add(layer + norm + ".weight", {d});
      add(layer + norm + ".bias", {d});
    }
    add(layer + "attention.query_key_value.weight", {3 * d, d});
    add(layer + "attention.dense.weight", {d, d});
    if (config.attention_bias) {
      add(layer + "attention.query_key_value.bias", {3 * d});
      add(layer + "attention.dense.bias", {d});
    }
    add(layer + "mlp.dense_h_to_4h.weight", {config.d_mlp, d});
    add(layer + "mlp.dense_h_to_4h.bias", {config.d_mlp});
    add(layer + "mlp.dense_4h_to_h.weight", {d, config.d_mlp});
    add(layer + "mlp.dense_4h_to_h.bias", {d});
  }
  add("gpt_neox.final_layer_norm.weight", {d});
  add("gpt_neox.final_layer_norm.bias", {d});
  if (!config.tie_embeddings) add("embed_out.weight", {config.vocab_size, d});
  return all;
}

GptNeoXWeights place(NamedTensors all, const GptNeoXConfig& config = tiny(),
                     std::optional<at::ScalarType> dtype = {}) {
  return name_gpt_neox_weights(std::move(all), config, dtype, at::kCPU, "FILE");
}

TEST(NameGptNeoXWeights, EveryTensorHasItsPlace) {
  const NamedTensors all = tensors(tiny());
  const GptNeoXWeights weights = place(all);
  const auto is = [&](const at::Tensor& placed, const std::string& name, at::ScalarType dtype) {
    EXPECT_EQ(placed.scalar_type(), dtype) << name;
    EXPECT_TRUE(placed.equal(all.at(name).to(dtype))) << name;
  };
  is(weights.embedding, "gpt_neox.embed_in.weight", at::kBFloat16);
  is(weights.lm_head, "embed_out.weight", at::kBFloat16);
  is(weights.final_norm_weight, "gpt_neox.final_layer_norm.weight", at::kFloat);
  is(weights.final_norm_bias, "gpt_neox.final_layer_norm.bias", at::kFloat);
  ASSERT_EQ(weights.layers.size(), 2U);
  for (std::size_t i = 0; i < 2; ++i) {
    const GptNeoXLayerWeights& w = weights.layers[i];
    const std::string layer = "gpt_neox.layers." + std::to_string(i) + ".";
    is(w.attention_norm_weight, layer + "input_layernorm.weight", at::kFloat);
    is(w.attention_norm_bias, layer + "input_layernorm.bias", at::kFloat);
    is(w.query_key_value, layer + "attention.query_key_value.weight", at::kBFloat16);
    is(w.query_key_value_bias, layer + "attention.query_key_value.bias", at::kBFloat16);
    is(w.attention_out, layer + "attention.dense.weight", at::kBFloat16);
    is(w.attention_out_bias, layer + "attention.dense.bias", at::kBFloat16);
    is(w.mlp_norm_weight, layer + "post_attention_layernorm.weight", at::kFloat);
    is(w.mlp_norm_bias, layer + "post_attention_layernorm.bias", at::kFloat);
    is(w.mlp_in, layer + "mlp.dense_h_to_4h.weight", at::kBFloat16);
    is(w.mlp_in_bias, layer + "mlp.dense_h_to_4h.bias", at::kBFloat16);
    is(w.mlp_out, layer + "mlp.dense_4h_to_h.weight", at::kBFloat16);
    is(w.mlp_out_bias, layer + "mlp.dense_4h_to_h.bias", at::kBFloat16);
  }
}

TEST(NameGptNeoXWeights, TypesAreConverted) {
  const GptNeoXWeights weights = place(tensors(tiny()), tiny(), at::kDouble);
  EXPECT_EQ(weights.embedding.scalar_type(), at::kDouble);
  EXPECT_EQ(weights.layers[1].mlp_out_bias.scalar_type(), at::kDouble);
  EXPECT_EQ(weights.layers[1].mlp_norm_bias.scalar_type(), at::kDouble);
  EXPECT_TRUE(refuses("dtype: expected float32", [] { place(tensors(tiny()), tiny(), at::kInt); }));
}

TEST(NameGptNeoXWeights, ConstantsOfPublishedFilesAreNotRead) {
  NamedTensors all = tensors(tiny());
  all["gpt_neox.rotary_emb.inv_freq"] = at::ones({1});
  for (const std::string layer : {"gpt_neox.layers.0.", "gpt_neox.layers.1."}) {
    all[layer + "attention.bias"] = at::ones({1, 1, 8, 8}, at::kByte);
    all[layer + "attention.masked_bias"] = at::ones({});
    all[layer + "attention.rotary_emb.inv_freq"] = at::ones({1});
  }
  EXPECT_TRUE(place(all).embedding.equal(all.at("gpt_neox.embed_in.weight")));
  all["gpt_neox.layers.2.attention.bias"] = at::ones({1});
  EXPECT_TRUE(refuses("FILE: tensor 'gpt_neox.layers.2.attention.bias': unexpected; 1 tensor(s)",
                      [&] { place(all); }));
}

TEST(NameGptNeoXWeights, TiedAndRenamedHeads) {
  GptNeoXConfig config = tiny();
  NamedTensors all = tensors(config);
  all["lm_head.weight"] = all.extract("embed_out.weight").mapped();
  EXPECT_TRUE(place(all).lm_head.equal(all.at("lm_head.weight")));
  all["embed_out.weight"] = all.at("lm_head.weight");
  EXPECT_TRUE(refuses("'embed_out.weight': unexpected", [&] { place(all); }));

  config.tie_embeddings = true;
  EXPECT_TRUE(refuses("'lm_head.weight': differs from the embedding", [&] {
    NamedTensors other = tensors(tiny());
    other["lm_head.weight"] = other.extract("embed_out.weight").mapped();
    place(other, config);
  }));
  NamedTensors tied = tensors(config);
  const GptNeoXWeights weights = place(tied, config);
  EXPECT_TRUE(weights.lm_head.is_same(weights.embedding));
  tied["embed_out.weight"] = tied.at("gpt_neox.embed_in.weight").clone();
  EXPECT_TRUE(place(tied, config).lm_head.equal(tied.at("gpt_neox.embed_in.weight")));
}

TEST(NameGptNeoXWeights, AttentionMayHaveNoBias) {
  GptNeoXConfig config = tiny();
  config.attention_bias = false;
  const GptNeoXWeights weights = place(tensors(config), config);
  EXPECT_FALSE(weights.layers[1].query_key_value_bias.defined());
  EXPECT_FALSE(weights.layers[1].attention_out_bias.defined());
  EXPECT_TRUE(
      refuses("attention.dense.bias': unexpected", [&] { place(tensors(tiny()), config); }));
  EXPECT_TRUE(
      refuses("attention.query_key_value.bias': missing", [&] { place(tensors(config), tiny()); }));
}

TEST(NameGptNeoXWeights, EachMissingOrMisshapenTensorIsNamed) {
  for (const auto& [name, tensor] : tensors(tiny())) {
    NamedTensors all = tensors(tiny());
    all.erase(name);
    EXPECT_TRUE(refuses("FILE: tensor '" + name + "': missing", [&] { place(all); }));
    all[name] = at::ones({5, 5});
    EXPECT_TRUE(refuses("FILE: tensor '" + name + "': expected shape", [&] { place(all); }));
    all[name] = at::ones(tensor.sizes(), at::kInt);
    EXPECT_TRUE(refuses("FILE: tensor '" + name + "': expected float32", [&] { place(all); }));
  }
}

}  // namespace
}  // namespace simba::test
