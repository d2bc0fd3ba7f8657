#include "eval/methods.h"

#include <memory>
#include <set>
#include <utility>

namespace simba::eval {
namespace {

// Every criterion of the grid with the options that it reads.
std::vector<std::pair<Method, std::shared_ptr<const Criterion>>> expand_criteria(
    const MethodGrid& grid) {
  std::vector<std::pair<Method, std::shared_ptr<const Criterion>>> expanded;
  for (const std::string& name : grid.criteria) {
    const bool influence = name == "influence";
    const std::vector<std::string> unread = {""};
    for (const std::string& decay : influence ? grid.decays : unread) {
      for (const std::string& reduction : influence ? grid.reductions : unread) {
        CriterionOptions options;
        options.seed = grid.seed;
        Method method;
        method.criterion = name;
        if (influence) {
          options.decay = decay;
          options.reduction = reduction;
          method.decay = decay;
          method.reduction = reduction;
        }
        if (name == "random") method.seed = grid.seed;
        expanded.emplace_back(std::move(method), make_criterion(name, options));
      }
    }
  }
  return expanded;
}

}  // namespace

std::string Method::name() const { return is_dense() ? criterion : plan.name(); }

std::string Method::label() const {
  std::string text = criterion;
  if (decay) text += " " + *decay;
  if (reduction) text += " " + *reduction;
  if (schedule && *schedule != "linear") text += " " + *schedule;
  return text;
}

std::vector<Method> expand_methods(const MethodGrid& grid) {
  const auto criteria = expand_criteria(grid);
  std::vector<Method> methods = {Method()};
  std::set<std::string> names;
  for (const Schedule& schedule : grid.schedules) {
    const std::vector<Retention> unread = {Retention()};
    for (const Retention& retention : schedule.uses_retention() ? grid.retentions : unread) {
      for (const auto& [options, criterion] : criteria) {
        Method method = options;
        method.plan = PruningPlan::pruned(schedule, retention, criterion);
        if (method.plan.is_dense() || !names.insert(method.plan.name()).second) continue;
        method.schedule = schedule.text();
        if (schedule.uses_retention()) method.retention = retention;
        methods.push_back(std::move(method));
      }
    }
  }
  return methods;
}

}  // namespace simba::eval
