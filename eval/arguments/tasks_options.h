// The command line of `simba-eval tasks`.
#pragma once

#include <cstdint>
#include <string>

#include "eval/arguments/method_options.h"

namespace CLI {
class App;
}

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

// Declares the options; parsing fills `options`, which must outlive it.
void add_tasks_options(CLI::App& command, TasksOptions& options);

}  // namespace simba::eval
