// The table that `simba-eval tasks` prints.
#pragma once

#include <string>
#include <vector>

#include "eval/tasks/task_summary.h"

namespace simba::eval {

// summaries[i]: of runs[i]'s rows.
std::string task_table(const std::vector<TaskRun>& runs,
                       const std::vector<std::vector<TaskRowSummary>>& summaries);

}  // namespace simba::eval
