#include "csrc/checkpoint/mamba_config.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "tests/cpp/checkpoint/tiny_checkpoint.h"
#include "tests/cpp/refusal.h"
#include "tests/cpp/temporary_folder.h"

namespace simba::test {
namespace {

class MambaConfigFile : public testing::Test {
 protected:
  CheckpointConfig read(const std::string& json) {
    return read_mamba_config(folder_.write("config.json", json));
  }
  testing::AssertionResult refused(const std::string& words, const std::string& json) {
    return refuses(words, [&] { read(json); });
  }

  TemporaryFolder folder_;
};

// mamba-130m as the state-spaces package published it.
const std::string kPublished =
    R"({"d_model":768,"n_layer":24,"vocab_size":50277,"ssm_cfg":{},"rms_norm":true,)"
    R"("residual_in_fp32":true,"fused_add_norm":true,"pad_vocab_size_multiple":8})";

TEST_F(MambaConfigFile, ReadsPublishedStateSpaces) {
  const CheckpointConfig config = read(kPublished);
  EXPECT_EQ(config.layout, Layout::kStateSpaces);
  EXPECT_EQ(config.model.d_model, 768);
  EXPECT_EQ(config.model.n_layer, 24);
  EXPECT_EQ(config.model.vocab_size, 50280);  // 50277 padded
  EXPECT_EQ(config.model.d_state, 16);
  EXPECT_EQ(config.model.d_conv, 4);
  EXPECT_EQ(config.model.d_inner, 1536);
  EXPECT_EQ(config.model.dt_rank, 48);
  EXPECT_EQ(config.model.norm_epsilon, 1e-5);
  EXPECT_TRUE(config.model.rms_norm);
  EXPECT_TRUE(config.model.residual_in_fp32);
  EXPECT_TRUE(config.model.tie_embeddings);
  EXPECT_TRUE(config.model.conv_bias);
  EXPECT_FALSE(config.model.projection_bias);
}

TEST_F(MambaConfigFile, ReadsEveryStateSpacesKey) {
  const CheckpointConfig config = read(
      R"({"d_model":20,"n_layer":3,"vocab_size":100,"pad_vocab_size_multiple":1,"rms_norm":false,)"
      R"("residual_in_fp32":false,"tie_embeddings":false,"d_intermediate":0,"attn_layer_idx":[],)"
      R"("attn_cfg":{},"ssm_cfg":{"layer":"Mamba1","d_state":8,"d_conv":2,"expand":1.27,"dt_rank":7,)"
      R"("conv_bias":false,"bias":true,"dt_min":0.001,"use_fast_path":true}})");
  EXPECT_EQ(config.model.vocab_size, 100);
  EXPECT_EQ(config.model.d_state, 8);
  EXPECT_EQ(config.model.d_conv, 2);
  EXPECT_EQ(config.model.d_inner, 25);  // the integer part of 25.4
  EXPECT_EQ(config.model.dt_rank, 7);
  EXPECT_FALSE(config.model.rms_norm);
  EXPECT_FALSE(config.model.residual_in_fp32);
  EXPECT_FALSE(config.model.tie_embeddings);
  EXPECT_FALSE(config.model.conv_bias);
  EXPECT_TRUE(config.model.projection_bias);
  EXPECT_EQ(read(R"({"d_model":17,"n_layer":1,"vocab_size":8,"ssm_cfg":{"dt_rank":"auto"}})")
                .model.dt_rank,
            2);
  EXPECT_EQ(
      read(R"({"d_model":17,"n_layer":1,"vocab_size":8,"ssm_cfg":null,"attn_layer_idx":null})")
          .model.d_state,
      16);
}

TEST_F(MambaConfigFile, ReadsHuggingFace) {
  // A converted checkpoint has names of both layouts: model_type and hidden_size decide.
  const CheckpointConfig config = read(
      R"({"model_type":"mamba","hidden_size":768,"num_hidden_layers":24,"vocab_size":50277,)"
      R"("d_model":1,"n_layer":1,"state_size":8,"conv_kernel":3,"intermediate_size":1000,"expand":2,)"
      R"("time_step_rank":40,"layer_norm_epsilon":1e-06,"use_bias":true,"use_conv_bias":false,)"
      R"("residual_in_fp32":false,"tie_word_embeddings":false,"hidden_act":"silu"})");
  EXPECT_EQ(config.layout, Layout::kHuggingFace);
  EXPECT_EQ(config.model.d_model, 768);
  EXPECT_EQ(config.model.n_layer, 24);
  EXPECT_EQ(config.model.vocab_size, 50277);  // as it is: never padded
  EXPECT_EQ(config.model.d_state, 8);
  EXPECT_EQ(config.model.d_conv, 3);
  EXPECT_EQ(config.model.d_inner, 1000);
  EXPECT_EQ(config.model.dt_rank, 40);
  EXPECT_EQ(config.model.norm_epsilon, 1e-6);
  EXPECT_TRUE(config.model.rms_norm);
  EXPECT_FALSE(config.model.residual_in_fp32);
  EXPECT_FALSE(config.model.tie_embeddings);
  EXPECT_FALSE(config.model.conv_bias);
  EXPECT_TRUE(config.model.projection_bias);

  const CheckpointConfig plain = read(R"({"hidden_size":40,"num_hidden_layers":1,"vocab_size":9})");
  EXPECT_EQ(plain.model.d_inner, 80);
  EXPECT_EQ(plain.model.dt_rank, 3);
  EXPECT_TRUE(plain.model.tie_embeddings);
  EXPECT_TRUE(plain.model.conv_bias);
}

TEST_F(MambaConfigFile, RefusesOtherFiles) {
  EXPECT_TRUE(refuses("cannot be opened", [&] { read_mamba_config(folder_ / "none.json"); }));
  EXPECT_TRUE(refused("invalid JSON at byte", ""));
  EXPECT_TRUE(refused("invalid JSON at byte", "{\"d_model\":"));
  EXPECT_TRUE(refused("invalid JSON at byte", "{} {}"));
  EXPECT_TRUE(refused("a NUL byte", std::string("{}\0", 3)));
  EXPECT_TRUE(refused("a number in the JSON is too large", "{\"a\":1e999}"));
  EXPECT_TRUE(refused("expected a JSON object, got array", "[]"));
  EXPECT_TRUE(refused("nested deeper than 32", "{\"a\":" + std::string(1 << 20, '[')));
  EXPECT_TRUE(refused("key 'd_model' occurs twice", "{\"d_model\":1,\"d_model\":2}"));
  EXPECT_TRUE(refused("expected d_model (state-spaces layout) or hidden_size", "{}"));
  EXPECT_TRUE(refused("got model_type 'gpt2'", "{\"model_type\":\"gpt2\"}"));
}

// One changed member, and what the error must say.
TEST_F(MambaConfigFile, RefusesBadStateSpacesValues) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {R"("d_model":0)", "d_model: expected an integer from 1 to 2147483647, got 0"},
      {R"("d_model":-3)", "got -3"},
      {R"("d_model":2147483648)", "got 2147483648"},
      {R"("d_model":18446744073709551615)", "got 18446744073709551615"},
      {R"("d_model":18446744073709551616)", "d_model: expected an integer"},
      {R"("d_model":7.5)", "got 7.5"},
      {R"("d_model":"768")", "got \"768\""},
      {R"("d_model":true)", "got true"},
      {R"("d_model":null)", "got null"},
      {R"("n_layer":[24])", "n_layer: expected an integer from 1 to 100000, got [24]"},
      {R"("n_layer":100001)", "n_layer: expected an integer from 1 to 100000, got 100001"},
      {R"("n_layer":0)", "n_layer"},
      {R"("vocab_size":0)", "vocab_size"},
      {R"("pad_vocab_size_multiple":0)", "pad_vocab_size_multiple"},
      {R"("rms_norm":1)", "rms_norm: expected true or false, got 1"},
      {R"("residual_in_fp32":"yes")", "residual_in_fp32: expected true or false, got \"yes\""},
      {R"("tie_embeddings":null)", "tie_embeddings: expected true or false, got null"},
      {R"("d_intermediate":512)", "d_intermediate: expected 0 (no MLP layers), got 512"},
      {R"("attn_layer_idx":[9,18])",
       "attn_layer_idx: expected an empty list (no attention layers), got [9,18]"},
      {R"("ssm_cfg":"none")", "ssm_cfg: expected an object, got \"none\""},
      {R"("ssm_cfg":{"layer":"Mamba2","headdim":64})",
       "ssm_cfg: layer: expected \"Mamba1\", got 'Mamba2'"},
      {R"("ssm_cfg":{"layer":1})", "ssm_cfg: layer: expected a text, got 1"},
      {R"("ssm_cfg":{"headdim":64})", "ssm_cfg: unknown key 'headdim'"},
      {R"("ssm_cfg":{"d_state":0})", "ssm_cfg: d_state"},
      {R"("ssm_cfg":{"d_conv":"4"})", "ssm_cfg: d_conv"},
      {R"("ssm_cfg":{"expand":0})", "ssm_cfg: expand: expected a positive number, got 0"},
      {R"("ssm_cfg":{"expand":-2})", "ssm_cfg: expand"},
      {R"("ssm_cfg":{"expand":1e300})",
       "expand: expected a factor that gives 1 to 2147483647 channels"},
      {R"("ssm_cfg":{"expand":0.0001})", "expand: expected a factor"},
      {R"("ssm_cfg":{"dt_rank":"all"})", "dt_rank: expected an integer or \"auto\", got \"all\""},
      {R"("ssm_cfg":{"dt_rank":0})", "dt_rank"},
      {R"("ssm_cfg":{"conv_bias":0})", "conv_bias"},
      {R"("ssm_cfg":{"bias":0})", "ssm_cfg: bias"},
  };
  const std::vector<std::pair<std::string, std::string>> members = {
      {"d_model", R"("d_model":768)"},
      {"n_layer", R"("n_layer":24)"},
      {"vocab_size", R"("vocab_size":8)"}};
  for (const auto& [member, words] : cases) {
    std::string json = "{" + member;
    for (const auto& [key, text] : members) {
      if (!member.starts_with("\"" + key + "\"")) json += "," + text;
    }
    EXPECT_TRUE(refused(words, json + "}")) << member;
  }
  EXPECT_TRUE(refused("no n_layer", R"({"d_model":768,"vocab_size":8})"));
  EXPECT_TRUE(refused("no vocab_size", R"({"d_model":768,"n_layer":8})"));
}

TEST_F(MambaConfigFile, RefusesBadHuggingFaceValues) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {R"("model_type":"mamba2")", "model_type: expected \"mamba\", got 'mamba2'"},
      {R"("model_type":"falcon_mamba")", "got 'falcon_mamba'"},
      {R"("model_type":3)", "model_type: expected a text, got 3"},
      {R"("hidden_act":"gelu")", "hidden_act: expected \"silu\", got 'gelu'"},
      {R"("state_size":0)", "state_size"},
      {R"("conv_kernel":0)", "conv_kernel"},
      {R"("expand":null)", "expand: expected a positive number, got null"},
      {R"("intermediate_size":"1536")", "intermediate_size"},
      {R"("time_step_rank":null)", "time_step_rank"},
      {R"("layer_norm_epsilon":0)", "layer_norm_epsilon: expected a positive number, got 0"},
      {R"("use_bias":"no")", "use_bias"},
      {R"("use_conv_bias":1)", "use_conv_bias"},
      {R"("tie_word_embeddings":1)", "tie_word_embeddings"},
  };
  for (const auto& [member, words] : cases) {
    EXPECT_TRUE(
        refused(words, R"({"hidden_size":8,"num_hidden_layers":1,"vocab_size":9,)" + member + "}"));
  }
  EXPECT_TRUE(refused("no num_hidden_layers", R"({"hidden_size":8,"vocab_size":9})"));
}

TEST_F(MambaConfigFile, SurvivesEveryChangedByte) {
  const std::string whole = tiny_config_json();
  std::size_t refused = 0;
  for (std::size_t i = 0; i < whole.size(); ++i) {
    for (int value = 0; value < 256; value += 3) {
      std::string changed = whole;
      changed[i] = static_cast<char>(value);
      try {
        read(changed);
      } catch (const InputError&) {
        ++refused;
      }
    }
  }
  EXPECT_GT(refused, whole.size() * 10);
}

}  // namespace
}  // namespace simba::test
