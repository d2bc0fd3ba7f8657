#include "eval/sweep/sweep_methods.h"

#include <algorithm>
#include <functional>

#include "csrc/checkpoint/quote.h"
#include "csrc/input_error.h"
#include "csrc/model/criterion.h"

namespace simba::eval {
namespace {

// Every value of a key, made into something; what is wrong with one names its line.
template <typename T>
std::vector<T> values_of(const TomlTable& table, const std::string& key, std::vector<T> otherwise,
                         const std::function<T(const std::string& text)>& make) {
  if (!table.has(key)) return otherwise;
  std::vector<T> values;
  std::vector<std::string> seen;
  for (const TomlItem& item : table.items(key)) {
    if (item.table) throw InputError(item.where + ": " + key + ": expected a value, got a table");
    if (std::find(seen.begin(), seen.end(), item.text) != seen.end()) {
      throw InputError(item.where + ": " + key + ": " + quote(item.text) + " is given twice");
    }
    seen.push_back(item.text);
    try {
      values.push_back(make(item.text));
    } catch (const InputError& error) {
      throw InputError(item.where + ": " + error.what());
    }
  }
  return values;
}

std::string checked_criterion(const std::string& name) {
  make_criterion(name, {});
  return name;
}

std::string checked_decay(const std::string& decay) {
  CriterionOptions options;
  options.decay = decay;
  make_criterion("influence", options);
  return decay;
}

std::string checked_reduction(const std::string& reduction) {
  CriterionOptions options;
  options.reduction = reduction;
  make_criterion("influence", options);
  return reduction;
}

Budget checked_budget(const std::string& text) {
  const std::vector<Budget> budgets = parse_budgets("budget", text);
  if (budgets.size() == 1) return budgets.front();
  throw InputError("budget: expected one value or a list of values, got " + quote(text));
}

// A setting that no criterion of the block reads is a mistake.
void refuse_unread(const TomlTable& table, const MethodGrid& grid, const std::string& key,
                   const std::string& reader) {
  const auto& criteria = grid.criteria;
  if (!table.has(key) || std::find(criteria.begin(), criteria.end(), reader) != criteria.end()) {
    return;
  }
  throw InputError(table.where(key) + ": " + key + ": only the criterion " + reader +
                   " reads it, which is not among this block's");
}

void check_how_much(const TomlTable& table, const SweepMethods& methods) {
  std::vector<std::string> given;
  for (const char* key : {"retention", "budget", "match"}) {
    if (table.has(key)) given.emplace_back(key);
  }
  if (given.size() > 1) {
    throw InputError(table.where(given[1]) + ": expected one of retention, budget and match, got " +
                     given[0] + " and " + given[1]);
  }
  for (const Schedule& schedule : methods.grid.schedules) {
    if (schedule.uses_retention() && given.empty()) {
      throw InputError(methods.where + ": expected one of retention, budget and match, got none");
    }
    if (!schedule.uses_retention() && !given.empty() && given.front() != "retention") {
      throw InputError(table.where(given.front()) + ": " + given.front() + ": schedule " +
                       schedule.text() + " has no retention to solve for");
    }
  }
}

}  // namespace

SweepMethods read_methods(const TomlTable& table) {
  SweepMethods methods;
  methods.where = table.where();
  MethodGrid& grid = methods.grid;
  grid.criteria = values_of<std::string>(table, "criterion", {"influence"}, checked_criterion);
  grid.decays = values_of<std::string>(table, "decay", {"no_bias"}, checked_decay);
  grid.reductions = values_of<std::string>(table, "reduction", {"max"}, checked_reduction);
  grid.schedules = values_of<Schedule>(table, "schedule", {Schedule()}, Schedule::parse);
  grid.retentions = values_of<Retention>(table, "retention", {}, Retention::parse);
  methods.budgets = values_of<Budget>(table, "budget", {}, checked_budget);
  grid.seed = table.integer_or("seed", 0);
  methods.truncated = table.has("truncated") && table.boolean("truncated");
  refuse_unread(table, grid, "decay", "influence");
  refuse_unread(table, grid, "reduction", "influence");
  refuse_unread(table, grid, "seed", "random");
  check_how_much(table, methods);
  return methods;
}

}  // namespace simba::eval
