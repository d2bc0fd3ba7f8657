#include "eval/tasks/task_config.h"

#include <gtest/gtest.h>

#include "eval/tasks/task_catalog.h"
#include "tests/cpp/eval/tasks/task_files.h"
#include "tests/cpp/refusal.h"

namespace simba::eval {
namespace {

using test::refuses;
using test::task;
using test::TemporaryFolder;

// The choices task with one line replaced.
std::string with(const std::string& line, const std::string& other) {
  std::string text = test::kChoicesTask;
  const std::size_t at = text.find(line);
  EXPECT_NE(at, std::string::npos) << line;
  return text.replace(at, line.size(), other);
}

TEST(TaskConfig, ReadsEverything) {
  const TaskConfig config = task(R"(
name = "seventh"
[[documents]]
files = ["a.jsonl", "b/a.jsonl"]
labels = "a.lst"
keep = { field = "split", values = ["in", "out"] }
note = "made up"
[[documents]]
files = ["raw.jsonl"]
clean_up = "hellaswag"
[prompt]
context = "{q}"
choices = ["{a}", "no {a}"]
target_delimiter = ""
example_delimiter = "\n"
[label]
field = "l"
form = "letter"
[score]
metrics = ["acc_bytes", "acc"]
primary = "acc_bytes"
)");
  EXPECT_EQ(config.name, "seventh");
  ASSERT_EQ(config.documents.size(), 2u);
  EXPECT_EQ(config.documents[0].files, (std::vector<std::string>{"a.jsonl", "b/a.jsonl"}));
  EXPECT_EQ(config.documents[0].labels, "a.lst");
  EXPECT_EQ(config.documents[0].keep_field, "split");
  EXPECT_EQ(config.documents[0].note, "made up");
  EXPECT_EQ(config.documents[1].clean_up, "hellaswag");
  EXPECT_TRUE(config.few_shot.empty());
  EXPECT_EQ(config.kind, TaskKind::kChoices);
  EXPECT_EQ(config.choices.size(), 2u);
  EXPECT_EQ(config.target_delimiter, "");
  EXPECT_EQ(config.example_delimiter, "\n");
  EXPECT_EQ(config.label.form, LabelRule::Form::kLetter);
  EXPECT_EQ(config.primary, Metric::kAccBytes);
  EXPECT_EQ(task(test::kContextsTask).kind, TaskKind::kContexts);
  EXPECT_EQ(task(test::kTargetTask).kind, TaskKind::kTarget);
}

TEST(TaskConfig, NamesTheLineOfWhatIsWrong) {
  EXPECT_TRUE(refuses("task.toml:2: unknown key 'nam'", [] {
    task("\nnam = \"x\"" + with("name = \"colours\"", "name = \"colours\""));
  }));
  EXPECT_TRUE(refuses("task.toml:1: expected a key 'name'", [] { task(with("name", "#")); }));
  EXPECT_TRUE(refuses("task.toml:2: name: expected a string, got integer",
                      [] { task(with("name = \"colours\"", "name = 3")); }));
  EXPECT_TRUE(refuses("task.toml:3: not TOML", [] { task("\n\nname = \n"); }));
  EXPECT_TRUE(
      refuses("task.toml:4: ", [] { task(with("files = [\"colours.jsonl\"]", "files = []")); }));
  EXPECT_TRUE(refuses("task.toml:4: unknown key 'file'", [] {
    task(with("files = [\"colours.jsonl\"]", "file = 1\nfiles = [\"colours.jsonl\"]"));
  }));
  EXPECT_TRUE(refuses("task.toml:8: ", [] { task(with("{question}", "{question")); }));
  EXPECT_TRUE(refuses("task.toml:12: expected one of index, number, letter, key, got 'roman'",
                      [] { task(with("\"index\"", "\"roman\"")); }));
  EXPECT_TRUE(refuses("task.toml:14: expected one of acc, acc_norm, acc_bytes, perplexity",
                      [] { task(with("\"acc_norm\"", "\"f1\"")); }));
  EXPECT_TRUE(refuses("task.toml:14: perplexity is no metric of a task with choices",
                      [] { task(with("\"acc_norm\"", "\"perplexity\"")); }));
  EXPECT_TRUE(refuses("task.toml:15: expected one of the metrics",
                      [] { task(with("primary = \"acc\"", "primary = \"perplexity\"")); }));
  EXPECT_TRUE(refuses("clean_up: expected 'hellaswag', got 'x'",
                      [] { task(with("[[few_shot]]", "clean_up = \"x\"\n[[few_shot]]")); }));
  EXPECT_TRUE(refuses("task.toml:7: [prompt]: expected context and choices",
                      [] { task(with("choices_field = \"options\"", "contexts = [\"a\"]")); }));
}

TEST(TaskCatalog, FindsNamesAndFiles) {
  const TemporaryFolder folder;
  folder.write("colours.toml", test::kChoicesTask);
  const std::string other = folder.write("elsewhere/x.toml", test::kTargetTask);
  const auto tasks = find_tasks({"colours", other}, folder.path());
  ASSERT_EQ(tasks.size(), 2u);
  EXPECT_EQ(tasks[1].name, "words");
  EXPECT_TRUE(refuses("--tasks: expected one of colours or a file FILE.toml, got 'color'",
                      [&] { find_tasks({"color"}, folder.path()); }));
  EXPECT_TRUE(refuses("--tasks: no such file: none.toml",
                      [&] { find_tasks({"none.toml"}, folder.path()); }));
  EXPECT_TRUE(refuses("--tasks: task colours is given twice", [&] {
    find_tasks({"colours", "colours"}, folder.path());
  }));
  EXPECT_TRUE(refuses("there are none in /nowhere", [] { find_tasks({"x"}, "/nowhere"); }));
}

}  // namespace
}  // namespace simba::eval
