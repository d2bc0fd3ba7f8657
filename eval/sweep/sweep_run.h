// A sweep as units of work: model after model, of each its tasks, then its books.
#pragma once

#include <cstddef>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <vector>

#include "eval/perplexity/perplexity_summary.h"
#include "eval/run/units.h"
#include "eval/sweep/model_slot.h"
#include "eval/sweep/sweep_plan.h"
#include "eval/tasks/task_summary.h"

namespace simba::eval {

// What the records of one model say.
struct ModelScores {
  std::vector<std::vector<TaskRowScores>> tasks;  // by task and row
  std::vector<std::vector<TaskRowSummary>> task_summaries;
  std::vector<RowScores> perplexity;  // by row
  std::vector<RowSummary> perplexity_summaries;
};

class SweepRun {
 public:
  // slot: where models are loaded, one at a time, when their units are computed. Both must outlive
  // the object.
  SweepRun(const SweepPlan& plan, ModelSlot& slot);
  // Its units refer to it.
  SweepRun(const SweepRun&) = delete;
  SweepRun& operator=(const SweepRun&) = delete;

  Units units() const;
  // Of one model.
  std::size_t unit_count(std::size_t model) const;

  // records: of all units. One entry per model.
  std::vector<ModelScores> scores(const std::vector<nlohmann::ordered_json>& records) const;

 private:
  // Units of one model that follow each other.
  struct Part {
    std::size_t model;
    std::size_t first;
    Units units;
  };
  const Part& part_of(std::size_t unit) const;

  const SweepPlan& plan_;
  std::vector<std::unique_ptr<SlottedModel>> models_;
  std::vector<Part> parts_;
};

}  // namespace simba::eval
