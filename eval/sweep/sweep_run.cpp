#include "eval/sweep/sweep_run.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

namespace simba::eval {
namespace {

using Json = nlohmann::ordered_json;

std::size_t task_unit_count(const ModelPlan& plan) {
  std::size_t count = 0;
  for (const TaskRun& run : plan.tasks) count += run.unit_count();
  return count;
}

std::vector<Json> slice(const std::vector<Json>& records, std::size_t& first, std::size_t count) {
  const auto begin = records.begin() + static_cast<std::ptrdiff_t>(first);
  first += count;
  return {begin, begin + static_cast<std::ptrdiff_t>(count)};
}

}  // namespace

SweepRun::SweepRun(const SweepPlan& plan, ModelSlot& slot) : plan_(plan) {
  std::size_t first = 0;
  for (std::size_t m = 0; m < plan.models.size(); ++m) {
    const ModelPlan& of_model = plan.models[m];
    models_.push_back(
        std::make_unique<SlottedModel>(*of_model.model->shape, of_model.model->folder, slot));
    LanguageModel& model = *models_.back();
    const auto add = [&](Units units) {
      const std::size_t count = units.count;
      if (count > 0) parts_.push_back({m, first, std::move(units)});
      first += count;
    };
    add(task_units(of_model.tasks, [&model](std::size_t) -> LanguageModel& { return model; }));
    if (of_model.perplexity) add(perplexity_units(model, of_model.perplexity->run));
  }
}

const SweepRun::Part& SweepRun::part_of(std::size_t unit) const {
  const auto next =
      std::upper_bound(parts_.begin(), parts_.end(), unit,
                       [](std::size_t number, const Part& part) { return number < part.first; });
  return *std::prev(next);
}

Units SweepRun::units() const {
  Units units;
  units.count = parts_.empty() ? 0 : parts_.back().first + parts_.back().units.count;
  units.compute = [this](std::size_t unit, const OnUnitStep& on_step) {
    const Part& part = part_of(unit);
    return part.units.compute(unit - part.first, on_step);
  };
  units.describe = [this](std::size_t unit) {
    const Part& part = part_of(unit);
    return plan_.models[part.model].model->name() + ", " + part.units.describe(unit - part.first);
  };
  units.cost = [this](std::size_t unit) {
    const Part& part = part_of(unit);
    return part.units.cost(unit - part.first);
  };
  return units;
}

std::size_t SweepRun::unit_count(std::size_t model) const {
  std::size_t count = 0;
  for (const Part& part : parts_) count += part.model == model ? part.units.count : 0;
  return count;
}

std::vector<ModelScores> SweepRun::scores(const std::vector<Json>& records) const {
  std::vector<ModelScores> all;
  std::size_t first = 0;
  for (std::size_t m = 0; m < plan_.models.size(); ++m) {
    const ModelPlan& plan = plan_.models[m];
    ModelScores& scores = all.emplace_back();
    const std::size_t of_tasks = task_unit_count(plan);
    scores.tasks = collect_scores(plan.tasks, slice(records, first, of_tasks));
    for (std::size_t t = 0; t < plan.tasks.size(); ++t) {
      scores.task_summaries.push_back(summarize_task(plan.tasks[t], scores.tasks[t]));
    }
    const std::size_t of_books = unit_count(m) - of_tasks;
    if (!plan.perplexity) continue;
    const PerplexityRun& run = plan.perplexity->run;
    scores.perplexity = merge_records(run, slice(records, first, of_books));
    scores.perplexity_summaries = summarize(run, scores.perplexity, plan.model->shape->n_layer());
  }
  return all;
}

}  // namespace simba::eval
