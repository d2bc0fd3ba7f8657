// What the command line of `simba-eval tasks` asks for.
#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

#include "eval/arguments/tasks_options.h"
#include "eval/tasks/prompts.h"
#include "eval/tasks/task_rows.h"

namespace simba::eval {

// What can be made of it before any data or model is opened.
struct TasksRequest {
  std::vector<TaskConfig> tasks;
  PromptSettings prompts;
  TaskMethods methods;
  at::ScalarType dtype;
};

// Throws InputError naming the first option that is wrong.
TasksRequest check_options(const TasksOptions& options);

}  // namespace simba::eval
