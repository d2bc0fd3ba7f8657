#include "eval/tasks/task_run.h"

#include <memory>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>
#include <utility>

namespace simba::eval {
namespace {

struct Unit {
  std::size_t run;
  const TaskRun* task_run;
  const TaskRow* row;
  const Batch* batch;

  std::vector<BatchItem> items() const {
    std::vector<BatchItem> items;
    for (const std::size_t group : *batch) {
      items.push_back({&task_run->task.groups[group], row->lengths[group]});
    }
    return items;
  }

  std::string name() const {
    const std::size_t number = static_cast<std::size_t>(batch - row->batches.data()) + 1;
    return task_run->task.prompts.config.name + ", " + row->method.label() + ", batch " +
           std::to_string(number) + "/" + std::to_string(row->batches.size());
  }
};

std::vector<Unit> list_units(const std::vector<TaskRun>& runs) {
  std::vector<Unit> units;
  for (std::size_t r = 0; r < runs.size(); ++r) {
    for (const TaskRow& row : runs[r].rows) {
      for (const Batch& batch : row.batches) units.push_back({r, &runs[r], &row, &batch});
    }
  }
  return units;
}

TaskRowScores empty_scores(const TaskRun& run) {
  TaskRowScores scores;
  scores.documents.resize(run.task.documents());
  for (const ContextGroup& group : run.task.groups) {
    for (const Continuation& continuation : group.continuations) {
      auto& choices = scores.documents[continuation.document];
      if (choices.size() <= continuation.choice) choices.resize(continuation.choice + 1);
    }
  }
  return scores;
}

void add_batch(const TaskRun& run, const Batch& batch, const BatchScores& record,
               TaskRowScores& scores) {
  std::size_t next = 0;
  for (const std::size_t group : batch) {
    for (const Continuation& continuation : run.task.groups[group].continuations) {
      scores.documents[continuation.document][continuation.choice] =
          record.continuations.at(next++);
    }
  }
  if (next != record.continuations.size()) {
    throw std::logic_error("a record holds other continuations than its batch");
  }
  for (const auto& [layer, cut] : record.overlap) {
    scores.overlap[layer].kept += cut.kept;
    scores.overlap[layer].recent += cut.recent;
  }
  scores.seconds += record.seconds;
}

}  // namespace

std::size_t TaskRun::unit_count() const {
  std::size_t count = 0;
  for (const TaskRow& row : rows) count += row.batches.size();
  return count;
}

Units task_units(const std::vector<TaskRun>& runs,
                 std::function<LanguageModel&(std::size_t run)> model) {
  const auto list = std::make_shared<const std::vector<Unit>>(list_units(runs));
  Units units;
  units.count = list->size();
  units.compute = [list, model = std::move(model)](std::size_t number, const OnUnitStep& on_step) {
    const Unit& unit = (*list)[number];
    on_step(0, unit.name());
    return to_record(score_batch(model(unit.run), unit.row->method.plan, unit.items()));
  };
  units.describe = [list](std::size_t number) { return (*list)[number].name(); };
  // Shares of the row's FLOPs by tokens: exact enough for a progress line, and cheap.
  units.cost = [list](std::size_t number) {
    const Unit& unit = (*list)[number];
    double tokens = 0;
    double all = 0;
    const std::vector<ContextGroup>& groups = unit.task_run->task.groups;
    for (const std::size_t group : *unit.batch) {
      tokens += static_cast<double>(unit.row->lengths[group] + groups[group].extended_tokens());
    }
    for (std::size_t group = 0; group < groups.size(); ++group) {
      all += static_cast<double>(unit.row->lengths[group] + groups[group].extended_tokens());
    }
    return unit.row->flops.total() * tokens / all;
  };
  return units;
}

std::vector<std::vector<TaskRowScores>> collect_scores(
    const std::vector<TaskRun>& runs, const std::vector<nlohmann::ordered_json>& records) {
  std::vector<std::vector<TaskRowScores>> scores;
  std::size_t unit = 0;
  for (const TaskRun& run : runs) {
    std::vector<TaskRowScores>& rows = scores.emplace_back();
    for (const TaskRow& row : run.rows) {
      rows.push_back(empty_scores(run));
      for (const Batch& batch : row.batches) {
        add_batch(run, batch, from_record(records.at(unit++)), rows.back());
      }
    }
  }
  return scores;
}

}  // namespace simba::eval
