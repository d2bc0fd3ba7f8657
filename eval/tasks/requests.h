// What is asked of the model for one question: the log-likelihood of each continuation's text after
// its context's (rules 4, 5 and 6 of lm-evaluation-harness as its construct_requests has them).
#pragma once

#include <string>
#include <vector>

#include "eval/tasks/example.h"

namespace simba::eval {

struct Request {
  std::string context;
  std::string continuation;
};

// One request per choice, or one for the target. `prefix`: the few-shot examples.
std::vector<Request> make_requests(const TaskConfig& task, const Example& example,
                                   const std::string& prefix);

}  // namespace simba::eval
