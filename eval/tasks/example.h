// A document as a question: its contexts, its possible continuations, and which is right.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "eval/tasks/document.h"
#include "eval/tasks/task_config.h"

namespace simba::eval {

struct Example {
  std::string where;                       // "FILE:LINE" of the document
  std::vector<std::string> contexts;       // one; kContexts: one per choice
  std::vector<std::string> continuations;  // kChoices: one per choice, else one; no delimiter
  std::vector<std::string> choices;        // whose lengths acc_norm and acc_bytes divide by
  std::size_t gold = 0;                    // the right choice

  // The question with its right answer, as an example in another question's prompt.
  std::string answered(const std::string& delimiter) const;
};

// Throws InputError naming the document's line on a missing field, no choices, an empty choice or
// target, or a label that is none of the choices.
Example make_example(const TaskConfig& task, const Document& document);

}  // namespace simba::eval
