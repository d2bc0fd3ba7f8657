#include "eval/sweep/sweep_config.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "tests/cpp/refusal.h"
#include "tests/cpp/temporary_folder.h"

namespace simba::eval {
namespace {

using test::refuses;
using test::TemporaryFolder;

SweepConfig read(const std::string& toml) {
  const TemporaryFolder folder;
  return read_sweep_config(folder.write("sweeps/sweep.toml", toml));
}

std::string normal(const std::string& path) {
  return std::filesystem::path(path).lexically_normal().string();
}

TEST(SweepConfig, ReadsEverything) {
  const TemporaryFolder folder;
  const SweepConfig config = read_sweep_config(folder.write("sweeps/sweep.toml", R"(
title = "All of it"
models = [
  "state-spaces/mamba-130m",
  "../here/tuned/",
  { name = "mine", checkpoint = "some/folder", shape = "mamba-130m" },
]
[[tasks]]
names = ["piqa", "../own.toml"]
shots = 5
examples = "seeded"
seed = 7
limit = 100
max_length = 512
[[tasks]]
names = "piqa"
[perplexity]
text = "books"
contexts = [512, 64]
score = 16
windows = 3
[[methods]]
criterion = "influence"
decay = ["no_bias", "full"]
reduction = "l2"
schedule = ["linear", "constant"]
retention = [0.50, "0.1"]
truncated = true
[[methods]]
criterion = ["random", "recent"]
seed = 9
budget = [0.6, "12.3GFLOP"]
models = ["mine"]
[[methods]]
match = "mamba-130m"
[[methods]]
schedule = "steps:2=0.5"
)"));
  EXPECT_EQ(config.title, "All of it");
  EXPECT_EQ(config.file, "sweep.toml");
  ASSERT_EQ(config.models.size(), 3u);
  EXPECT_EQ(config.models[0].name, "mamba-130m");
  EXPECT_EQ(config.models[0].checkpoint, "state-spaces/mamba-130m");
  EXPECT_EQ(config.models[0].shape, "mamba-130m");
  EXPECT_EQ(config.models[1].checkpoint, normal(folder / "here/tuned/"));
  EXPECT_EQ(config.models[1].name, "tuned");
  EXPECT_EQ(config.models[2].checkpoint, "some/folder");
  EXPECT_EQ(config.models[2].shape, "mamba-130m");
  ASSERT_EQ(config.tasks.size(), 3u);
  EXPECT_EQ(config.tasks[1].task, normal(folder / "own.toml"));
  EXPECT_EQ(config.tasks[1].prompts.shots, 5);
  EXPECT_EQ(config.tasks[1].prompts.sampling, Sampling::kSeeded);
  EXPECT_EQ(config.tasks[1].prompts.seed, 7);
  EXPECT_EQ(config.tasks[1].prompts.limit, 100);
  EXPECT_EQ(config.tasks[1].max_length, 512);
  EXPECT_EQ(config.tasks[2].prompts.shots, 0);
  EXPECT_EQ(config.tasks[2].max_length, 2048);
  ASSERT_TRUE(config.perplexity);
  EXPECT_EQ(config.perplexity->longest_context(), 512);
  EXPECT_EQ(config.perplexity->score, 16);
  EXPECT_EQ(config.perplexity->windows, 3);
  ASSERT_EQ(config.methods.size(), 4u);
  EXPECT_EQ(expand_methods(config.methods[0].grid).size(), 1u + 2 * 2 * 2);
  EXPECT_EQ(config.methods[0].grid.retentions[0].text(), "0.5");
  EXPECT_TRUE(config.methods[0].truncated);
  EXPECT_FALSE(config.methods[1].truncated);
  EXPECT_EQ(config.methods[1].grid.seed, 9);
  ASSERT_EQ(config.methods[1].budgets.size(), 2u);
  EXPECT_EQ(config.methods[1].budgets[1].flops(1), 12.3e9);
  EXPECT_EQ(config.methods[1].models, std::vector<std::string>{"mine"});
  EXPECT_EQ(config.methods[2].match, std::vector<std::string>{"mamba-130m"});
  EXPECT_TRUE(config.methods[3].budgets.empty() && config.methods[3].match.empty());
}

TEST(SweepConfig, NeedsSomethingToRead) {
  EXPECT_TRUE(refuses("sweep.toml:1: expected [[tasks]], [perplexity] or both",
                      [] { read("title = 'x'\nmodels = 'm'\n"); }));
}

TEST(SweepConfig, NamesTheLineOfAWrongValue) {
  const std::string start = "title = 'x'\nmodels = ['m']\n[perplexity]\ntext = 't'\ncontexts = 8\n";
  EXPECT_EQ(read(start).perplexity->contexts, std::vector<std::int64_t>{8});
  const auto with = [&](const std::string& more) { return [=] { read(start + more); }; };
  EXPECT_TRUE(refuses(":8: budget: expected one value or a list of values, got '0.6,0.7'",
                      with("[[methods]]\nbudget = [0.9,\n'0.6,0.7']\n")));
  EXPECT_TRUE(refuses(":8: retention: '0.5' is given twice",
                      with("[[methods]]\nretention = [0.5,\n0.50]\n")));
  EXPECT_TRUE(refuses(":7: budget: schedule steps:2=0.5 has no retention to solve for",
                      with("[[methods]]\nbudget = 0.6\nschedule = 'steps:2=0.5'\n")));
  EXPECT_TRUE(refuses(":7: criterion: expected a value or a list of values, got an empty list",
                      with("[[methods]]\ncriterion = []\n")));
  EXPECT_TRUE(refuses(":7: retention: expected a value, got a table",
                      with("[[methods]]\nretention = { r = 0.5 }\n")));
  EXPECT_TRUE(refuses(":7: retention: expected a value or a list of values, got boolean",
                      with("[[methods]]\nretention = true\n")));
  EXPECT_TRUE(refuses(":7: seed: only the criterion random reads it",
                      with("[[methods]]\nseed = 1\nretention = 0.5\n")));
  EXPECT_TRUE(refuses(":8: unknown key 'retentions'",
                      with("[[methods]]\nretention = 0.5\nretentions = 0.4\n")));
}

}  // namespace
}  // namespace simba::eval
