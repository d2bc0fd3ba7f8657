// Named steps that turn a publisher's raw document into the fields that a task's templates use.
#pragma once

#include <string>

#include "eval/tasks/document.h"

namespace simba::eval {

// "hellaswag": query, choices and gold from activity_label, ctx_a, ctx_b, endings and label, as
// lm-evaluation-harness makes them (lm_eval/tasks/hellaswag/utils.py, version 1.0): bracketed
// markers such as [title] are taken out of WikiHow's text, ctx_b is capitalised (with Unicode's
// simple case mappings). A choice keeps the blank that stood behind its marker.
//
// Throws InputError on a missing field.
void clean_up(const std::string& step, Document& document);

// Throws InputError that begins with `where` unless there is such a step.
void check_clean_up(const std::string& step, const std::string& where);

}  // namespace simba::eval
