#include "eval/commands/tasks_request.h"

#include "eval/commands/method_grid.h"
#include "eval/options.h"
#include "eval/tasks/task_catalog.h"

namespace simba::eval {

TasksRequest check_options(const TasksOptions& options) {
  check_count("--max-length", options.max_length);
  check_at_least("--batch-tokens", options.batch_tokens, 1);
  TasksRequest request;
  request.methods.grid = method_grid(options.methods);
  if (!options.budget.empty()) request.methods.budgets = parse_budgets("--budget", options.budget);
  request.methods.match_flops = options.methods.match_flops;
  request.prompts.shots = options.shots;
  request.prompts.sampling = parse_sampling(options.fewshot);
  request.prompts.seed = options.methods.seed;
  if (options.limit > 0) request.prompts.limit = options.limit;
  request.dtype = parse_dtype(options.dtype);
  request.tasks = find_tasks(split_list("--tasks", options.tasks),
                             options.configs.empty() ? default_task_folder() : options.configs);
  return request;
}

}  // namespace simba::eval
