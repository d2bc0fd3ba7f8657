// What cannot be encoded is named by its line.
#include "eval/tasks/encoded_task.h"

#include <gtest/gtest.h>

#include "tests/cpp/eval/fake_tokenizer.h"
#include "tests/cpp/eval/tasks/task_files.h"
#include "tests/cpp/eval/tasks/task_runs.h"
#include "tests/cpp/refusal.h"

namespace simba::eval {
namespace {

using test::kMaxLength;
using test::prompts_of;
using test::refuses;

TEST(EncodedTask, NamesTheLineOfWhatCannotBeEncoded) {
  const std::string blank = R"({"question": "ok", "options": ["x"], "answer": 0})"
                            "\n"
                            R"({"question": "q", "options": ["y"], "answer": 0})"
                            "\n";
  const TaskPrompts prompts = prompts_of(test::kChoicesTask, "colours.jsonl", blank);
  EXPECT_TRUE(refuses("colours.jsonl:1: the tokenizer does not fit the model: id ",
                      [&] { encode_task(prompts, FakeTokenizer(), 3, kMaxLength); }));
  EXPECT_TRUE(refuses("colours.jsonl:1: expected a continuation of at most 1 tokens",
                      [&] { encode_task(prompts, FakeTokenizer(), 22, 1); }));
  const TaskPrompts words =
      prompts_of(test::kTargetTask, "words.jsonl", "{\"text\": \"a b\"}\n{\"text\": \"  b\"}\n");
  EXPECT_TRUE(refuses("words.jsonl:2: expected a context with tokens, got white space alone",
                      [&] { encode_task(words, FakeTokenizer(), 22, kMaxLength); }));
}

}  // namespace
}  // namespace simba::eval
