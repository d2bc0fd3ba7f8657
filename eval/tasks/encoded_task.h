// A task's questions as ids of one tokenizer, grouped by context.
#pragma once

#include <cstdint>
#include <vector>

#include "eval/tasks/context_groups.h"
#include "eval/tasks/prompts.h"

namespace simba::eval {

struct EncodedTask {
  TaskPrompts prompts;  // without its requests
  std::int64_t max_length;
  std::vector<ContextGroup> groups;

  std::size_t documents() const { return prompts.examples.size(); }
};

// Throws InputError naming the document's line where a request cannot be encoded (encoding.h) or
// has an id that a model of `vocab_size` rows has not.
EncodedTask encode_task(TaskPrompts prompts, const Tokenizer& tokenizer, std::int64_t vocab_size,
                        std::int64_t max_length);

}  // namespace simba::eval
