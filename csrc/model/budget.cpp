#include "csrc/model/budget.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <map>

#include "csrc/input_error.h"

namespace simba {
namespace {

constexpr std::int64_t kRetentionSteps = 1'000'000'000;

using Multiplicity = std::map<std::pair<std::int64_t, std::int64_t>, std::int64_t>;

Multiplicity distinct(const std::vector<RunItem>& run) {
  Multiplicity items;
  for (const RunItem& item : run) ++items[{item.context, item.continuation}];
  return items;
}

double total(const ModelShape& model, const Multiplicity& items, const PruningPlan& plan) {
  double sum = 0;
  for (const auto& [item, count] : items) {
    sum += static_cast<double>(count) * model.flops(item.first, plan, item.second).total();
  }
  return sum;
}

std::string in_gflop(double flops) {
  char text[32];
  std::snprintf(text, sizeof text, "%.4g GFLOP", flops / 1e9);
  return text;
}

void check_reached(double reached, double budget, double lowest, double highest) {
  if (within_budget(reached, budget)) return;
  throw InputError("budget: expected a run total within 1 % of one in [" + in_gflop(lowest) + ", " +
                   in_gflop(highest) + "], got " + in_gflop(budget) + "; the nearest is " +
                   in_gflop(reached));
}

}  // namespace

bool within_budget(double total, double budget) {
  constexpr double kTolerance = 0.01;
  return std::abs(total - budget) <= kTolerance * budget;
}

FlopCount run_flops(const ModelShape& model, const std::vector<RunItem>& run,
                    const PruningPlan& plan) {
  FlopCount sum;
  for (const auto& [item, count] : distinct(run)) {
    const FlopCount one = model.flops(item.first, plan, item.second);
    for (std::int64_t i = 0; i < count; ++i) sum += one;
  }
  return sum;
}

Retention solve_retention(const ModelShape& model, const std::vector<RunItem>& run,
                          const Schedule& schedule, std::shared_ptr<const Criterion> criterion,
                          double budget) {
  const Multiplicity items = distinct(run);
  const auto spent = [&](std::int64_t numerator) {
    return total(model, items,
                 PruningPlan::pruned(schedule, Retention{numerator, kRetentionSteps}, criterion));
  };
  // FLOPs rise with the retention up to just below 1, but for the scores that a layer saves once it
  // drops nothing (within .2 % of a run); at 1 the plan is dense and all scores fall away.
  std::int64_t low = 1;
  std::int64_t high = kRetentionSteps - 1;
  const double lowest = spent(low);
  while (high - low > 1) {
    const std::int64_t middle = low + (high - low) / 2;
    (spent(middle) <= budget ? low : high) = middle;
  }
  const double dense = total(model, items, PruningPlan::dense());
  std::int64_t best = low;
  for (const std::int64_t candidate : {high, kRetentionSteps}) {
    const double flops = candidate == kRetentionSteps ? dense : spent(candidate);
    if (std::abs(flops - budget) < std::abs(spent(best) - budget)) best = candidate;
  }
  const double reached = best == kRetentionSteps ? dense : spent(best);
  check_reached(reached, budget, lowest, std::max(dense, spent(kRetentionSteps - 1)));
  return Retention::nearest(static_cast<double>(best) / kRetentionSteps);
}

std::vector<std::int64_t> solve_truncation(const ModelShape& model, const std::vector<RunItem>& run,
                                           double budget) {
  const Multiplicity items = distinct(run);
  const PruningPlan dense = PruningPlan::dense();
  const auto truncated = [](std::int64_t context, double fraction) {
    return std::max<std::int64_t>(1, std::llround(fraction * static_cast<double>(context)));
  };
  const auto spent = [&](double fraction) {
    double sum = 0;
    for (const auto& [item, count] : items) {
      sum += static_cast<double>(count) *
             model.flops(truncated(item.first, fraction), dense, item.second).total();
    }
    return sum;
  };
  double low = 0;
  double high = 1;
  for (int halving = 0; halving < 50; ++halving) {
    const double middle = (low + high) / 2;
    (spent(middle) <= budget ? low : high) = middle;
  }
  const bool low_is_nearer = std::abs(spent(low) - budget) <= std::abs(spent(high) - budget);
  const double fraction = low_is_nearer ? low : high;
  check_reached(spent(fraction), budget, spent(0), spent(1));
  std::vector<std::int64_t> contexts;
  for (const RunItem& item : run) contexts.push_back(truncated(item.context, fraction));
  return contexts;
}

}  // namespace simba
