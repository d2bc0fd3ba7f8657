// Made-up tasks and documents for tests.
#pragma once

#include <string>

#include "eval/tasks/task_config.h"
#include "tests/cpp/temporary_folder.h"

namespace simba::test {

// A document with these fields, as line 1 of "docs.jsonl".
inline eval::Document document(const std::string& json) {
  return eval::parse_document(json, "docs.jsonl:1");
}

inline constexpr auto kChoicesTask = R"(
name = "colours"
[[documents]]
files = ["colours.jsonl"]
[[few_shot]]
files = ["examples.jsonl"]
[prompt]
context = "Q: {question}\nA:"
choices_field = "options"
[label]
field = "answer"
form = "index"
[score]
metrics = ["acc", "acc_norm", "acc_bytes"]
primary = "acc"
)";

inline constexpr auto kContextsTask = R"(
name = "blanks"
[[documents]]
files = ["blanks.jsonl"]
[[few_shot]]
files = ["examples.jsonl"]
[prompt]
contexts = ["{s|before('_')}{one}", "{s|before('_')}{two}"]
target = "{s|after('_')|strip}"
[label]
field = "answer"
form = "number"
[score]
metrics = ["acc"]
primary = "acc"
)";

inline constexpr auto kTargetTask = R"(
name = "words"
[[documents]]
files = ["words.jsonl"]
[[few_shot]]
files = ["words.jsonl"]
[prompt]
context = "{text|before_last(' ')}"
target = " {text|after_last(' ')}"
[score]
metrics = ["acc", "perplexity"]
primary = "acc"
)";

inline eval::TaskConfig task(const std::string& toml) {
  const TemporaryFolder folder;
  return eval::read_task_config(folder.write("task.toml", toml));
}

}  // namespace simba::test
