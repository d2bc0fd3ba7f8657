#include "csrc/checkpoint/weight_names.h"

#include <ATen/ops/zeros.h>
#include <gtest/gtest.h>

#include <optional>
#include <string>

#include "tests/cpp/checkpoint/tiny_checkpoint.h"
#include "tests/cpp/refusal.h"

namespace simba::test {
namespace {

using Dtype = std::optional<at::ScalarType>;

MambaWeights place(const CheckpointConfig& config, const NamedTensors& tensors, Dtype dtype = {}) {
  return name_weights(tensors, config, dtype, at::kCPU, "FILE");
}

TEST(WeightNames, PlacesEveryTensor) {
  const CheckpointConfig config = tiny_config();
  const NamedTensors tensors = tiny_tensors(config);
  const MambaWeights weights = place(config, tensors);
  EXPECT_TRUE(weights.embedding.equal(tensors.at("backbone.embedding.weight")));
  EXPECT_TRUE(weights.lm_head.is_same(weights.embedding));
  EXPECT_TRUE(weights.final_norm_weight.equal(tensors.at("backbone.norm_f.weight")));
  EXPECT_FALSE(weights.final_norm_bias.defined());
  ASSERT_EQ(weights.layers.size(), 2u);
  for (std::size_t i = 0; i < 2; ++i) {
    const std::string layer = "backbone.layers." + std::to_string(i) + ".",
                      mixer = layer + "mixer.";
    const MambaLayerWeights& w = weights.layers[i];
    EXPECT_TRUE(w.norm_weight.equal(tensors.at(layer + "norm.weight")));
    EXPECT_TRUE(w.in_proj.equal(tensors.at(mixer + "in_proj.weight")));
    EXPECT_TRUE(w.conv_weight.equal(tensors.at(mixer + "conv1d.weight").reshape({9, 3})));
    EXPECT_TRUE(w.conv_bias.equal(tensors.at(mixer + "conv1d.bias")));
    EXPECT_TRUE(w.x_proj.equal(tensors.at(mixer + "x_proj.weight")));
    EXPECT_TRUE(w.dt_proj.equal(tensors.at(mixer + "dt_proj.weight")));
    EXPECT_TRUE(w.dt_bias.equal(tensors.at(mixer + "dt_proj.bias")));
    EXPECT_TRUE(w.A.equal(tensors.at(mixer + "A_log").exp().neg()));
    EXPECT_TRUE(w.D.equal(tensors.at(mixer + "D")));
    EXPECT_TRUE(w.out_proj.equal(tensors.at(mixer + "out_proj.weight")));
    EXPECT_FALSE(w.norm_bias.defined() || w.in_proj_bias.defined() || w.out_proj_bias.defined());
  }
}

TEST(WeightNames, KeepsMemoryThatNeedsNoConversion) {
  const CheckpointConfig config = tiny_config();
  const NamedTensors tensors = tiny_tensors(config);
  const MambaWeights weights = place(config, tensors);
  const auto same = [&](const at::Tensor& placed, const std::string& name) {
    return placed.const_data_ptr() == tensors.at(name).const_data_ptr();
  };
  EXPECT_TRUE(same(weights.embedding, "backbone.embedding.weight"));
  EXPECT_TRUE(same(weights.layers[1].in_proj, "backbone.layers.1.mixer.in_proj.weight"));
  EXPECT_TRUE(same(weights.layers[1].conv_weight, "backbone.layers.1.mixer.conv1d.weight"));
  EXPECT_TRUE(same(weights.layers[1].D, "backbone.layers.1.mixer.D"));
}

TEST(WeightNames, ConvertsTypes) {
  CheckpointConfig config = tiny_config();
  config.model.projection_bias = true;
  const NamedTensors tensors = tiny_tensors(config);
  const struct {
    Dtype asked;
    at::ScalarType matrix, acc;
  } cases[] = {{std::nullopt, at::kBFloat16, at::kFloat},
               {at::kFloat, at::kFloat, at::kFloat},
               {at::kHalf, at::kHalf, at::kFloat},
               {at::kBFloat16, at::kBFloat16, at::kFloat},
               {at::kDouble, at::kDouble, at::kDouble}};
  for (const auto& row : cases) {
    const MambaWeights weights = place(config, tensors, row.asked);
    const MambaLayerWeights& w = weights.layers[0];
    for (const at::Tensor& matrix : {weights.embedding, weights.lm_head, w.in_proj, w.in_proj_bias,
                                     w.x_proj, w.dt_proj, w.out_proj, w.out_proj_bias}) {
      EXPECT_EQ(matrix.scalar_type(), row.matrix);
    }
    for (const at::Tensor& acc : {weights.final_norm_weight, w.norm_weight, w.conv_weight,
                                  w.conv_bias, w.dt_bias, w.A, w.D}) {
      EXPECT_EQ(acc.scalar_type(), row.acc);
    }
  }
  // In float64, exp() too is taken in float64.
  const at::Tensor A_log = tensors.at("backbone.layers.0.mixer.A_log");
  EXPECT_TRUE(
      place(config, tensors, at::kDouble).layers[0].A.equal(A_log.to(at::kDouble).exp().neg()));
}

TEST(WeightNames, AsStoredIsTheTypeOfInProj) {
  const CheckpointConfig config = tiny_config();
  NamedTensors tensors = tiny_tensors(config);
  tensors.at("backbone.layers.0.mixer.in_proj.weight") =
      tensors.at("backbone.layers.0.mixer.in_proj.weight").to(at::kDouble);
  const MambaWeights weights = place(config, tensors);
  EXPECT_EQ(weights.embedding.scalar_type(), at::kDouble);
  EXPECT_EQ(weights.layers[1].A.scalar_type(), at::kDouble);
}

TEST(WeightNames, PlacesLayerNormAndBiases) {
  CheckpointConfig config = tiny_config();
  config.model.rms_norm = false;
  config.model.conv_bias = false;
  config.model.projection_bias = true;
  const NamedTensors tensors = tiny_tensors(config);
  const MambaWeights weights = place(config, tensors);
  EXPECT_TRUE(weights.final_norm_bias.equal(tensors.at("backbone.norm_f.bias")));
  EXPECT_TRUE(weights.layers[1].norm_bias.equal(tensors.at("backbone.layers.1.norm.bias")));
  EXPECT_FALSE(weights.layers[1].conv_bias.defined());
  EXPECT_TRUE(
      weights.layers[1]
          .in_proj_bias.to(at::kFloat)
          .equal(
              tensors.at("backbone.layers.1.mixer.in_proj.bias").to(at::kBFloat16).to(at::kFloat)));
  EXPECT_EQ(weights.layers[1].out_proj_bias.sizes(), at::IntArrayRef({6}));
}

TEST(WeightNames, ReadsBothNamesOfTheEmbedding) {
  for (const Layout layout : {Layout::kStateSpaces, Layout::kHuggingFace}) {
    CheckpointConfig config = tiny_config(), other = tiny_config();
    config.layout = layout;
    other.layout = layout == Layout::kStateSpaces ? Layout::kHuggingFace : Layout::kStateSpaces;
    EXPECT_NO_THROW(place(config, tiny_tensors(config)));
    EXPECT_NO_THROW(place(config, tiny_tensors(other)));
    NamedTensors tensors = tiny_tensors(config);
    tensors.merge(tiny_tensors(other));
    EXPECT_TRUE(refuses("unexpected", [&] { place(config, tensors); }));
  }
}

TEST(WeightNames, PlacesAndChecksTheHead) {
  CheckpointConfig config = tiny_config();
  NamedTensors tensors = tiny_tensors(config);
  tensors["lm_head.weight"] = tensors.at("backbone.embedding.weight");
  EXPECT_NO_THROW(place(config, tensors));
  tensors["lm_head.weight"] = tensors.at("backbone.embedding.weight").clone();
  EXPECT_NO_THROW(place(config, tensors));
  tensors["lm_head.weight"] = tensors.at("backbone.embedding.weight").add(1);
  EXPECT_TRUE(refuses("'lm_head.weight': differs from the embedding, but config.json ties the two",
                      [&] { place(config, tensors); }));

  config.model.tie_embeddings = false;
  const MambaWeights weights = place(config, tensors);
  EXPECT_TRUE(weights.lm_head.equal(tensors.at("lm_head.weight")));
  EXPECT_FALSE(weights.lm_head.equal(weights.embedding));
  tensors.erase("lm_head.weight");
  EXPECT_TRUE(refuses("'lm_head.weight': missing, expected shape [16, 6]",
                      [&] { place(config, tensors); }));
}

// Every tensor in turn: left out, of another shape, of a type that is no float.
TEST(WeightNames, RefusesWhateverDoesNotFit) {
  CheckpointConfig config = tiny_config();
  config.model.rms_norm = false;
  config.model.tie_embeddings = false;
  config.model.projection_bias = true;
  const NamedTensors whole = tiny_tensors(config);
  for (const auto& [name, tensor] : whole) {
    NamedTensors changed = whole;
    changed.erase(name);
    EXPECT_TRUE(refuses("FILE: tensor '" + name + "': missing", [&] { place(config, changed); }));
    changed[name] = at::zeros({7, 8}, tensor.scalar_type());
    EXPECT_TRUE(
        refuses("FILE: tensor '" + name + "': expected shape [", [&] { place(config, changed); }));
    EXPECT_TRUE(refuses("got [7, 8]", [&] { place(config, changed); }));
    changed[name] = tensor.to(at::kLong);
    EXPECT_TRUE(refuses(
        "FILE: tensor '" + name + "': expected float32, bfloat16, float16 or float64, got Long",
        [&] { place(config, changed); }));
  }
  NamedTensors more = whole;
  more["backbone.layers.2.norm.weight"] = at::zeros({6});
  more["z"] = at::zeros({6});
  EXPECT_TRUE(refuses("tensor 'backbone.layers.2.norm.weight': unexpected; 2 tensor(s)",
                      [&] { place(config, more); }));
}

TEST(WeightNames, RefusesATensorThatTheConfigRulesOut) {
  CheckpointConfig with = tiny_config();
  with.model.rms_norm = false;
  EXPECT_TRUE(refuses("norm.bias': unexpected", [&] { place(tiny_config(), tiny_tensors(with)); }));
  CheckpointConfig without = tiny_config();
  without.model.conv_bias = false;
  EXPECT_TRUE(
      refuses("conv1d.bias': unexpected", [&] { place(without, tiny_tensors(tiny_config())); }));
}

TEST(WeightNames, RefusesOtherTypes) {
  EXPECT_TRUE(refuses("dtype: expected float32, bfloat16, float16 or float64, got Int",
                      [] { place(tiny_config(), tiny_tensors(tiny_config()), at::kInt); }));
}

}  // namespace
}  // namespace simba::test
