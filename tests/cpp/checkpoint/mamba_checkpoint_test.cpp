#include <ATen/ops/isfinite.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <optional>
#include <string>

#include "csrc/checkpoint/load_model.h"
#include "tests/cpp/checkpoint/byte_writers.h"
#include "tests/cpp/checkpoint/tiny_checkpoint.h"
#include "tests/cpp/refusal.h"
#include "tests/cpp/temporary_folder.h"

namespace simba::test {
namespace {

MambaCheckpoint load(const std::string& dir, std::optional<at::ScalarType> dtype = {}) {
  return load_mamba(dir, dtype, at::kCPU);
}

TEST(LoadMamba, ReadsEitherFormat) {
  const NamedTensors tensors = tiny_tensors(tiny_config());
  for (const std::string name : {"pytorch_model.bin", "model.safetensors"}) {
    const TemporaryFolder folder;
    folder.write("config.json", tiny_config_json());
    folder.write(name, name == "pytorch_model.bin" ? torch_archive(tensors) : safetensors(tensors));
    const MambaCheckpoint checkpoint = load(folder.path());
    EXPECT_EQ(checkpoint.layout, "state-spaces");
    EXPECT_EQ(checkpoint.weights_file, folder / name);
    EXPECT_EQ(checkpoint.config.d_inner, 9);
    EXPECT_TRUE(checkpoint.weights.embedding.equal(tensors.at("backbone.embedding.weight")));
    EXPECT_TRUE(checkpoint.weights.layers[1].D.equal(tensors.at("backbone.layers.1.mixer.D")));
    EXPECT_FALSE(checkpoint.weights.embedding.storage().resizable());  // mapped, not copied
    EXPECT_FALSE(checkpoint.weights.layers[1].D.storage().resizable());
    EXPECT_EQ(load(folder.path(), at::kDouble).weights.embedding.scalar_type(), at::kDouble);
  }
}

TEST(LoadMamba, ChecksTheConfigAgainstTheTensors) {
  const TemporaryFolder folder;
  folder.write("pytorch_model.bin", torch_archive(tiny_tensors(tiny_config())));
  EXPECT_TRUE(refuses("config.json: cannot be opened", [&] { load(folder.path()); }));
  folder.write("config.json", tiny_config_json("\"rms_norm\":false,"));
  EXPECT_TRUE(refuses("'backbone.layers.0.norm.bias': missing, expected shape [6]",
                      [&] { load(folder.path()); }));
  folder.write("config.json", R"({"d_model":6,"n_layer":100000,"vocab_size":10,)"
                              R"("ssm_cfg":{"d_state":5,"d_conv":3,"expand":1.5,"dt_rank":2}})");
  EXPECT_TRUE(refuses("'backbone.layers.2.norm.weight': missing", [&] { load(folder.path()); }));
  folder.write("config.json", R"({"d_model":6,"n_layer":2,"vocab_size":17,)"
                              R"("ssm_cfg":{"d_state":5,"d_conv":3,"expand":1.5,"dt_rank":2}})");
  EXPECT_TRUE(refuses("expected shape [24, 6], got [16, 6]", [&] { load(folder.path()); }));
}

// The checkpoints that come with the project's data.
TEST(LoadMamba, ReadsTrainedModels) {
  const char* data = ::getenv("SIMBA_TEST_DATA");
  if (data == nullptr) GTEST_SKIP() << "left out: SIMBA_TEST_DATA is not set (trained checkpoints)";
  const struct {
    const char* name;
    std::int64_t d_model, n_layer, vocab_size;
  } models[] = {{"mamba-26m-pg19", 384, 24, 8192}, {"mamba-6m-demo", 256, 12, 4096}};
  for (const auto& row : models) {
    const MambaCheckpoint checkpoint = load(std::string(data) + "/checkpoints/" + row.name);
    EXPECT_EQ(checkpoint.config.d_model, row.d_model);
    EXPECT_EQ(checkpoint.config.n_layer, row.n_layer);
    EXPECT_EQ(checkpoint.config.vocab_size, row.vocab_size);
    EXPECT_TRUE(checkpoint.config.tie_embeddings);
    ASSERT_EQ(checkpoint.weights.layers.size(), static_cast<std::size_t>(row.n_layer));
    EXPECT_EQ(checkpoint.weights.embedding.scalar_type(), at::kBFloat16);
    for (const MambaLayerWeights& layer : checkpoint.weights.layers) {
      EXPECT_EQ(layer.A.sizes(), at::IntArrayRef({2 * row.d_model, 16}));
      EXPECT_EQ(layer.A.scalar_type(), at::kFloat);
      EXPECT_TRUE(layer.A.isfinite().all().item<bool>());
      EXPECT_LT(layer.A.max().item<float>(), 0);
      EXPECT_FALSE(layer.in_proj.storage().resizable());  // mapped, not copied
    }
  }
}

}  // namespace
}  // namespace simba::test
