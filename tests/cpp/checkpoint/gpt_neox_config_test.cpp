#include "csrc/checkpoint/gpt_neox_config.h"

#include <gtest/gtest.h>

#include <string>

#include "tests/cpp/refusal.h"
#include "tests/cpp/temporary_folder.h"

namespace simba::test {
namespace {

constexpr char kSizes[] =
    R"("hidden_size":96,"num_hidden_layers":3,"num_attention_heads":4,"intermediate_size":100,)"
    R"("vocab_size":61)";

GptNeoXConfig read(const std::string& members) {
  const TemporaryFolder folder;
  return read_gpt_neox_config(folder.write("config.json", "{" + members + "}"));
}

GptNeoXConfig read_with(const std::string& change) {
  return read(std::string(kSizes) + "," + change);
}

TEST(GptNeoXConfigFile, SizesAndDefaults) {
  const GptNeoXConfig config = read(kSizes);
  EXPECT_EQ(config.d_model, 96);
  EXPECT_EQ(config.n_layer, 3);
  EXPECT_EQ(config.n_head, 4);
  EXPECT_EQ(config.d_head(), 24);
  EXPECT_EQ(config.rotary_dim, 6);
  EXPECT_EQ(config.d_mlp, 100);
  EXPECT_EQ(config.vocab_size, 61);
  EXPECT_EQ(config.max_length, 2048);
  EXPECT_EQ(config.rotary_base, 10000);
  EXPECT_EQ(config.norm_epsilon, 1e-5);
  EXPECT_TRUE(config.parallel_residual);
  EXPECT_TRUE(config.attention_bias);
  EXPECT_FALSE(config.gelu_tanh);
  EXPECT_FALSE(config.tie_embeddings);
}

TEST(GptNeoXConfigFile, EveryKeyIsRead) {
  const GptNeoXConfig config = read_with(
      R"("model_type":"gpt_neox","max_position_embeddings":512,"layer_norm_eps":1e-6,)"
      R"("use_parallel_residual":false,"attention_bias":false,"tie_word_embeddings":true,)"
      R"("hidden_act":"gelu_new","rotary_pct":0.5,"rotary_emb_base":500,"rope_scaling":null)");
  EXPECT_EQ(config.max_length, 512);
  EXPECT_EQ(config.norm_epsilon, 1e-6);
  EXPECT_FALSE(config.parallel_residual);
  EXPECT_FALSE(config.attention_bias);
  EXPECT_TRUE(config.tie_embeddings);
  EXPECT_TRUE(config.gelu_tanh);
  EXPECT_EQ(config.rotary_dim, 12);
  EXPECT_EQ(config.rotary_base, 500);
}

TEST(GptNeoXConfigFile, RotaryKeysHaveThreeSpellings) {
  for (const char* spelling :
       {R"("rotary_pct":1,"rotary_emb_base":50)", R"("partial_rotary_factor":1,"rope_theta":50)",
        R"("rope_parameters":{"rope_type":"default","rope_theta":50.0,"partial_rotary_factor":1})",
        R"("rope_scaling":{"type":"default"},"rotary_pct":1.0,"rotary_emb_base":50)",
        R"("rotary_pct":1,"rotary_emb_base":50,"partial_rotary_factor":1.0,"rope_theta":50.0)"}) {
    EXPECT_EQ(read_with(spelling).rotary_dim, 24) << spelling;
    EXPECT_EQ(read_with(spelling).rotary_base, 50) << spelling;
  }
  EXPECT_TRUE(refuses("rope_theta: expected what rotary_emb_base says, 50.0, got 60",
                      [] { read_with(R"("rotary_pct":1,"rotary_emb_base":50,"rope_theta":60)"); }));
}

TEST(GptNeoXConfigFile, WhatIsWrongIsNamed) {
  const struct {
    const char* change;
    const char* words;
  } rows[] = {
      {R"("model_type":"llama")", "model_type: expected \"gpt_neox\", got \"llama\""},
      {R"("hidden_act":"relu")", "hidden_act: expected gelu, gelu_new"},
      {R"("rotary_pct":0.3)",
       "rotary_pct: expected a share in (0, 1] that turns an even number "
       "of each head's 24 numbers, got 0.3"},
      {R"("rotary_pct":0.05)", "rotary_pct: expected a share in (0, 1] that turns an even"},
      {R"("rotary_pct":1.2)", "rotary_pct: expected a share in (0, 1]"},
      {R"("rotary_pct":0)", "rotary_pct: expected a positive number, got 0"},
      {R"("rotary_emb_base":"x")", "rotary_emb_base: expected a positive number"},
      {R"("rope_scaling":{"type":"linear","factor":2.0})", "rope_scaling: type: expected"},
      {R"("rope_parameters":{"rope_type":"yarn"})", "rope_parameters: rope_type: expected"},
      {R"("rope_parameters":[])", "rope_parameters: expected an object"},
      {R"("max_position_embeddings":2000000)", "max_position_embeddings: expected at most 1048576"},
      {R"("layer_norm_eps":-1)", "layer_norm_eps: expected a positive number"},
      {R"("use_parallel_residual":1)", "use_parallel_residual: expected true or false"},
      {R"("attention_bias":"yes")", "attention_bias: expected true or false"},
      {R"("tie_word_embeddings":0)", "tie_word_embeddings: expected true or false"},
  };
  for (const auto& row : rows) {
    EXPECT_TRUE(refuses(std::string("config.json: ") + row.words, [&] { read_with(row.change); }))
        << row.change;
  }
  EXPECT_TRUE(refuses("num_attention_heads: expected a divisor of hidden_size 96, got 5", [] {
    read(R"("hidden_size":96,"num_hidden_layers":3,"num_attention_heads":5,)"
         R"("intermediate_size":100,"vocab_size":61)");
  }));
  EXPECT_TRUE(refuses("no intermediate_size", [] {
    read(R"("hidden_size":96,"num_hidden_layers":3,"num_attention_heads":4,"vocab_size":61)");
  }));
  EXPECT_TRUE(refuses("num_hidden_layers: expected an integer from 1", [] {
    read(R"("hidden_size":96,"num_hidden_layers":0,"num_attention_heads":4,"vocab_size":61)");
  }));
}

}  // namespace
}  // namespace simba::test
