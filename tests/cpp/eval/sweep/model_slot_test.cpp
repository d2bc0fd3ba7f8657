#include "eval/sweep/model_slot.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/equal.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "csrc/checkpoint/load_model.h"
#include "csrc/checkpoint/load_shape.h"
#include "tests/cpp/refusal.h"
#include "tests/cpp/temporary_folder.h"

namespace simba::eval {
namespace {

namespace fs = std::filesystem;

const std::string kDemo = std::string(SIMBA_SOURCE_DIR) + "/examples/demo/model";

PackedTokens some_tokens() {
  PackedTokens tokens;
  tokens.append({1, 17, 300, 4, 99});
  return tokens;
}

TEST(ModelSlot, AModelIsLoadedWhenItReadsAndAgainWhenItsTurnComesBack) {
  const at::NoGradGuard no_grad;
  const test::TemporaryFolder folder;
  const std::string other = folder / "other";
  fs::create_directories(other);
  for (const char* file : {"config.json", "pytorch_model.bin"}) {
    fs::create_symlink(kDemo + "/" + file, other + "/" + file);
  }
  const auto shape = load_shape(kDemo);
  ModelSlot slot(at::kFloat, at::kCPU);
  SlottedModel first(*shape, kDemo, slot);
  SlottedModel second(*shape, other, slot);
  EXPECT_EQ(first.n_layer(), 12);
  EXPECT_EQ(first.flops(100, PruningPlan::dense(), 3).total(),
            shape->flops(100, PruningPlan::dense(), 3).total());

  const Prefill prefill = first.prefill(some_tokens(), PruningPlan::dense(), nullptr);
  const auto model = load_model(kDemo, at::kFloat, at::kCPU);
  EXPECT_TRUE(at::equal(prefill.last_logits,
                        model->prefill(some_tokens(), PruningPlan::dense()).last_logits));
  LanguageModel* loaded = &slot.get(kDemo);
  EXPECT_EQ(&slot.get(kDemo), loaded);
  EXPECT_TRUE(at::equal(prefill.last_logits,
                        second.prefill(some_tokens(), PruningPlan::dense(), nullptr).last_logits));
  // The first model made room for the second one.
  fs::remove(fs::path(other) / "pytorch_model.bin");
  EXPECT_NO_THROW(second.prefill(some_tokens(), PruningPlan::dense(), nullptr));
  EXPECT_NO_THROW(first.prefill(some_tokens(), PruningPlan::dense(), nullptr));
  EXPECT_TRUE(
      test::refuses(other, [&] { second.prefill(some_tokens(), PruningPlan::dense(), nullptr); }));
}

}  // namespace
}  // namespace simba::eval
