#include "csrc/checkpoint/model_family.h"

#include <gtest/gtest.h>

#include <string>

#include "tests/cpp/refusal.h"
#include "tests/cpp/temporary_folder.h"

namespace simba::test {
namespace {

ModelFamily read(const std::string& json) {
  const TemporaryFolder folder;
  return read_model_family(folder.write("config.json", json));
}

TEST(ModelFamily, ByModelType) {
  EXPECT_EQ(read(R"({"d_model":6})"), ModelFamily::kMamba);
  EXPECT_EQ(read(R"({"model_type":"mamba"})"), ModelFamily::kMamba);
  EXPECT_EQ(read(R"({"model_type":"gpt_neox"})"), ModelFamily::kGptNeoX);
}

TEST(ModelFamily, OthersAreRefused) {
  EXPECT_TRUE(refuses("config.json: model_type: expected \"mamba\" or \"gpt_neox\", got \"mamba2\"",
                      [] { read(R"({"model_type":"mamba2"})"); }));
  EXPECT_TRUE(refuses("model_type: expected a text, got 3", [] { read(R"({"model_type":3})"); }));
}

}  // namespace
}  // namespace simba::test
