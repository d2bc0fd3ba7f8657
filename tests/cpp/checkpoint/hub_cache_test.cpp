#include "csrc/checkpoint/hub_cache.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <map>
#include <optional>
#include <string>

#include "tests/cpp/refusal.h"
#include "tests/cpp/temporary_folder.h"

namespace simba::test {
namespace {

// The variables that say where the cache is, put back at the end.
class HubCache : public testing::Test {
 protected:
  HubCache() {
    for (const char* name :
         {"HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_HOME", "XDG_CACHE_HOME", "HOME"}) {
      const char* value = ::getenv(name);
      before_[name] = value == nullptr ? std::nullopt : std::optional<std::string>(value);
      ::unsetenv(name);
    }
    ::setenv("HOME", folder_.path().c_str(), 1);
  }
  ~HubCache() override {
    for (const auto& [name, value] : before_) {
      value ? ::setenv(name.c_str(), value->c_str(), 1) : ::unsetenv(name.c_str());
    }
  }

  // A model in a cache; returns its snapshot's path.
  std::string add(const std::string& cache, const std::string& model, const std::string& commit,
                  bool with_ref = true) {
    const std::string snapshot = cache + "/" + model + "/snapshots/" + commit;
    folder_.write(snapshot + "/config.json", "{}");
    if (with_ref) folder_.write(cache + "/" + model + "/refs/main", commit);
    return folder_ / snapshot;
  }

  TemporaryFolder folder_;
  std::map<std::string, std::optional<std::string>> before_;
};

TEST_F(HubCache, AFolderIsItself) {
  EXPECT_EQ(find_model_dir(folder_.path()), folder_.path());
  EXPECT_TRUE(refuses("expected a checkpoint folder, got a file",
                      [&] { find_model_dir(folder_.write("file", "")); }));
}

TEST_F(HubCache, FindsTheSnapshotOfMain) {
  const std::string cache = ".cache/huggingface/hub";
  add(cache, "models--state-spaces--mamba-130m", "0001", false);
  const std::string main = add(cache, "models--state-spaces--mamba-130m", "abcd");
  EXPECT_EQ(find_model_dir("state-spaces/mamba-130m"), main);
  EXPECT_EQ(find_model_dir("gpt2-like"), add(cache, "models--gpt2-like", "1"));
}

TEST_F(HubCache, FollowsTheVariablesInTheirOrder) {
  const std::string model = "models--a--b";
  const auto found = [] { return find_model_dir("a/b"); };
  const std::string home = add(".cache/huggingface/hub", model, "1");
  const std::string xdg = add("xdg/huggingface/hub", model, "2");
  const std::string hf_home = add("hf/hub", model, "3");
  const std::string old = add("old", model, "4");
  const std::string hub = add("hub", model, "5");
  EXPECT_EQ(found(), home);
  ::setenv("XDG_CACHE_HOME", (folder_ / "xdg").c_str(), 1);
  EXPECT_EQ(found(), xdg);
  ::setenv("HF_HOME", (folder_ / "hf").c_str(), 1);
  EXPECT_EQ(found(), hf_home);
  ::setenv("HUGGINGFACE_HUB_CACHE", (folder_ / "old").c_str(), 1);
  EXPECT_EQ(found(), old);
  ::setenv("HF_HUB_CACHE", (folder_ / "hub").c_str(), 1);
  EXPECT_EQ(found(), hub);
}

TEST_F(HubCache, WithoutRefsTakesTheOnlySnapshot) {
  const std::string only = add(".cache/huggingface/hub", "models--a--b", "1", false);
  EXPECT_EQ(find_model_dir("a/b"), only);
  add(".cache/huggingface/hub", "models--a--b", "2", false);
  EXPECT_TRUE(refuses("no refs/main, and 2 snapshots", [] { find_model_dir("a/b"); }));
}

TEST_F(HubCache, SaysWhereItLooked) {
  EXPECT_TRUE(refuses(
      "state-spaces/mamba-130m: no such folder, and no such model in the Hugging Face cache: " +
          folder_.path() + "/.cache/huggingface/hub/models--state-spaces--mamba-130m",
      [] { find_model_dir("state-spaces/mamba-130m"); }));
  for (const std::string path :
       {"/no/such/folder", "./none", "../none", "a/b/c", "a/../b", "", "a--b/c", "a b/c"}) {
    EXPECT_TRUE(refuses(path + ": no such folder", [&] { find_model_dir(path); }));
    EXPECT_FALSE(refuses("cache", [&] { find_model_dir(path); }));
  }
}

TEST_F(HubCache, RefusesARefThatLeadsElsewhere) {
  add(".cache/huggingface/hub", "models--a--b", "1");
  for (const std::string ref : {"../../../..", "2", "", "/etc"}) {
    folder_.write(".cache/huggingface/hub/models--a--b/refs/main", ref);
    EXPECT_TRUE(refuses("names no snapshot in the cache", [] { find_model_dir("a/b"); })) << ref;
  }
}

}  // namespace
}  // namespace simba::test
