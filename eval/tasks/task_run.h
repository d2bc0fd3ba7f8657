// A task under one model and every method: its units of work, and what their records mean.
#pragma once

#include <cstddef>
#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <vector>

#include "csrc/model/language_model.h"
#include "eval/run/units.h"
#include "eval/tasks/batch_scores.h"
#include "eval/tasks/encoded_task.h"
#include "eval/tasks/task_rows.h"

namespace simba::eval {

struct TaskRun {
  EncodedTask task;
  std::vector<TaskRow> rows;  // make_task_rows

  std::size_t unit_count() const;  // batches, row after row
};

// The units of several runs, one run after the other. `model(i)` is run i's model; it is asked for
// it when one of its units is computed, so that models can be loaded one at a time. `runs` must
// outlive the result.
Units task_units(const std::vector<TaskRun>& runs,
                 std::function<LanguageModel&(std::size_t run)> model);

// What the records of one row say.
struct TaskRowScores {
  std::vector<std::vector<ContinuationScore>> documents;  // in the order of the choices
  CutCounts overlap;                                      // empty for rows that drop nothing
  double seconds = 0;
};

// records: of all runs' units. One entry per run and row.
std::vector<std::vector<TaskRowScores>> collect_scores(
    const std::vector<TaskRun>& runs, const std::vector<nlohmann::ordered_json>& records);

}  // namespace simba::eval
