// Prompts of some documents, with examples before them.
#include "eval/tasks/prompts.h"

#include <gtest/gtest.h>

#include "tests/cpp/eval/tasks/task_files.h"
#include "tests/cpp/eval/tasks/task_runs.h"
#include "tests/cpp/refusal.h"

namespace simba::eval {
namespace {

using test::colour_lines;
using test::prompts_of;
using test::refuses;

TEST(Prompts, LimitAndShots) {
  PromptSettings settings;
  settings.limit = 2;
  settings.shots = 1;
  const TaskPrompts prompts =
      prompts_of(test::kChoicesTask, "colours.jsonl", colour_lines(5), settings);
  EXPECT_EQ(prompts.examples.size(), 2u);
  EXPECT_TRUE(prompts.requests[0][0].context.starts_with("Q: "));
  EXPECT_NE(prompts.requests[0][0].context.find("\n\nQ: "), std::string::npos);
  std::string without = test::kChoicesTask;
  const std::string few_shot = "[[few_shot]]\nfiles = [\"examples.jsonl\"]\n";
  without.replace(without.find(few_shot), few_shot.size(), "");
  EXPECT_TRUE(refuses("--shots 1: task colours has no [[few_shot]]",
                      [&] { prompts_of(without, "colours.jsonl", colour_lines(5), settings); }));
}

}  // namespace
}  // namespace simba::eval
