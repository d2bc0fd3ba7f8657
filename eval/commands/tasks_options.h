// The command line of `simba-eval tasks`.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <vector>

#include "eval/commands/method_options.h"
#include "eval/tasks/prompts.h"
#include "eval/tasks/task_rows.h"

namespace simba::eval {

// As typed.
struct TasksOptions {
  std::string model, tokenizer, data, configs, out;
  std::string tasks = "lambada_openai,hellaswag,piqa,arc_easy,arc_challenge,winogrande";
  std::int64_t shots = 0;
  std::string fewshot = "first_n";
  std::int64_t limit = 0;  // 0: all
  std::int64_t max_length = 2048;
  MethodOptions methods;
  std::string budget;
  std::string dtype = "float32";
  std::string device = "cpu";
  std::int64_t threads = 0;
  std::int64_t batch_tokens = 4096;
  bool force = false;
  bool resume = false;
};

// What can be made of it before any data or model is opened.
struct TasksRequest {
  std::vector<TaskConfig> tasks;
  PromptSettings prompts;
  TaskMethods methods;
  at::ScalarType dtype;
};

// Declares the options; parsing fills `options`, which must outlive it.
void add_tasks_options(CLI::App& command, TasksOptions& options);

// Throws InputError naming the first option that is wrong.
TasksRequest check_options(const TasksOptions& options);

}  // namespace simba::eval
