// results.json of task runs: the rows, and every log-likelihood that they are made of. Equal
// settings on equal files give equal bytes: no times, no host, no folders, no threads.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "eval/tasks/task_summary.h"

namespace simba::eval {

// A run's place in the results of several.
struct TaskResult {
  std::string model;  // the name in "models"
  const TaskRun* run;
  const std::vector<TaskRowScores>* scores;
  const std::vector<TaskRowSummary>* summaries;
};

// "rows": one object per result and row of it.
nlohmann::ordered_json task_rows_json(const std::vector<TaskResult>& results);

// "documents": by task (and shots, where there are any: "arc_easy, 5-shot"), for each document its
// file and line, the right choice, the lengths of the choices, and per row of that task in the
// order of "rows" the log-likelihood of each choice and whether it is greedy.
nlohmann::ordered_json task_documents_json(const std::vector<TaskResult>& results);

// What a task was asked with: file hashes, shots, limits.
nlohmann::ordered_json task_settings_json(const EncodedTask& task);

// The settings of methods: criteria, retentions or budgets, schedules, seed.
nlohmann::ordered_json task_methods_json(const TaskMethods& methods);

}  // namespace simba::eval
