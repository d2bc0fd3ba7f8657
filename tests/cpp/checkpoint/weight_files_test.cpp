#include "csrc/checkpoint/weight_files.h"

#include <ATen/ops/full.h>
#include <ATen/ops/ones.h>
#include <gtest/gtest.h>

#include <string>

#include "tests/cpp/checkpoint/byte_writers.h"
#include "tests/cpp/refusal.h"
#include "tests/cpp/temporary_folder.h"

namespace simba::test {
namespace {

NamedTensors one(const std::string& name, double value) { return {{name, at::full({2}, value)}}; }

TEST(WeightFiles, TakesTheFirstOfFour) {
  const TemporaryFolder folder;
  EXPECT_TRUE(refuses(
      "no weights; looked for model.safetensors, model.safetensors.index.json, pytorch_model.bin, "
      "pytorch_model.bin.index.json",
      [&] { find_weights(folder.path()); }));
  for (const std::string name : {"pytorch_model.bin.index.json", "pytorch_model.bin",
                                 "model.safetensors.index.json", "model.safetensors"}) {
    folder.write(name, "");
    EXPECT_EQ(find_weights(folder.path()), folder / name);
  }
}

TEST(WeightFiles, ReadsShards) {
  const TemporaryFolder folder;
  folder.write("a.safetensors", safetensors(one("a", 1)));
  folder.write("b.safetensors", safetensors(one("b", 2)));
  folder.write("a.bin", torch_archive(one("a", 3)));
  folder.write("b.bin", torch_archive(one("b", 4)));
  const NamedTensors first = read_weights(
      folder.write("model.safetensors.index.json",
                   R"({"metadata":{},"weight_map":{"a":"a.safetensors","b":"b.safetensors"}})"));
  EXPECT_EQ(first.at("a")[0].item<double>(), 1);
  EXPECT_EQ(first.at("b")[0].item<double>(), 2);
  const NamedTensors second = read_weights(
      folder.write("pytorch_model.bin.index.json", R"({"weight_map":{"a":"a.bin","b":"b.bin"}})"));
  EXPECT_EQ(second.at("a")[0].item<double>(), 3);
  EXPECT_EQ(second.at("b")[0].item<double>(), 4);
}

TEST(WeightFiles, RefusesBadIndexes) {
  const TemporaryFolder folder;
  folder.write("a.safetensors", safetensors(one("a", 1)));
  folder.write("c.bin", torch_archive(one("c", 1)));
  const auto refused = [&](const std::string& words, const std::string& index) {
    return refuses(words,
                   [&] { read_weights(folder.write("model.safetensors.index.json", index)); });
  };
  EXPECT_TRUE(refused("weight_map: expected an object", "{}"));
  EXPECT_TRUE(refused("weight_map: expected an object", R"({"weight_map":[]})"));
  EXPECT_TRUE(refused("weight_map: expected an object", R"({"weight_map":{}})"));
  EXPECT_TRUE(refused("'a': expected a file name, got number", R"({"weight_map":{"a":1}})"));
  EXPECT_TRUE(refused("invalid JSON", R"({"weight_map":)"));
  EXPECT_TRUE(refused("key 'a' occurs twice",
                      R"({"weight_map":{"a":"a.safetensors","a":"b.safetensors"}})"));
  EXPECT_TRUE(
      refused("shard 'b.safetensors' is missing", R"({"weight_map":{"a":"b.safetensors"}})"));
  EXPECT_TRUE(refused("no tensor 'b', which", R"({"weight_map":{"b":"a.safetensors"}})"));
  for (const std::string name :
       {"../a.safetensors", "/etc/passwd", "sub/a.safetensors", "..", ".safetensors",
        "a\\\\b.safetensors", "", "c.bin", "a.safetensors\\u0000"}) {
    EXPECT_TRUE(refused("expected the name of a .safetensors file beside the index",
                        R"({"weight_map":{"a":")" + name + "\"}}"))
        << name;
  }
}

TEST(WeightFiles, NamesGitLfsPointers) {
  const TemporaryFolder folder;
  const std::string pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n";
  for (const std::string name : {"model.safetensors", "pytorch_model.bin"}) {
    EXPECT_TRUE(refuses("a Git LFS pointer", [&] { read_weights(folder.write(name, pointer)); }));
  }
}

}  // namespace
}  // namespace simba::test
