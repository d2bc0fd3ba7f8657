#include "eval/matched_flops.h"

#include <algorithm>
#include <cmath>

#include "csrc/input_error.h"

namespace simba::eval {

void require_budget(double total, double budget) {
  if (within_budget(total, budget)) return;
  throw InputError("the nearest run total is not within 1 % of the budget");
}

Method solved_method(const ModelShape& model, const std::vector<RunItem>& run, Method method,
                     double budget) {
  const Schedule schedule = method.plan.schedule();
  if (!schedule.uses_retention()) {
    throw InputError("schedule " + schedule.text() + " has no retention to solve for");
  }
  CriterionOptions options;
  options.decay = method.decay.value_or(options.decay);
  options.reduction = method.reduction.value_or(options.reduction);
  options.seed = method.seed.value_or(options.seed);
  const auto criterion = make_criterion(method.criterion, options);
  method.retention = solve_retention(model, run, schedule, criterion, budget);
  method.plan = PruningPlan::pruned(schedule, *method.retention, criterion);
  return method;
}

Method truncated_method(const Method& matched) {
  Method method;
  method.criterion = "truncated";
  method.retention = matched.retention;
  method.schedule = matched.schedule;
  return method;
}

double farthest_match(const std::vector<Match>& matches, double total) {
  double farthest = 0;
  for (const Match& match : matches) {
    farthest = std::max(farthest, std::abs(total / match.budget - 1));
  }
  return farthest;
}

std::string match_names(const std::vector<Match>& matches) {
  std::string names;
  for (const Match& match : matches) names += (names.empty() ? "" : ", ") + match.method;
  return names;
}

}  // namespace simba::eval
