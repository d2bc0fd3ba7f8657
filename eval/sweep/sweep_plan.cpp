#include "eval/sweep/sweep_plan.h"

#include <algorithm>
#include <utility>

#include "csrc/input_error.h"
#include "csrc/model/budget.h"
#include "eval/sweep/in_file.h"
#include "eval/sweep/sweep_rows.h"

namespace simba::eval {
namespace {

void check_length(const std::string& where, const FoundModel& model, std::int64_t length,
                  const std::string& what) {
  const std::optional<std::int64_t> most = model.shape->max_length();
  if (!most || length <= *most) return;
  throw InputError(where + ": model " + model.name() + " reads at most " + std::to_string(*most) +
                   " tokens, got " + what + " = " + std::to_string(length));
}

// The last scored token is not fed.
void check_lengths(const SweepConfig& config, const FoundModel& model) {
  for (const SweepTask& task : config.tasks) {
    check_length(task.where, model, task.max_length, "max_length");
  }
  if (!config.perplexity) return;
  const SweepPerplexity& perplexity = *config.perplexity;
  check_length(perplexity.where, model, perplexity.longest_context() + perplexity.score - 1,
               "perplexity: context " + std::to_string(perplexity.longest_context()) + " + score " +
                   std::to_string(perplexity.score) + " - 1");
}

std::string why_nominal(const SweepTexts& texts, const FoundModel& model) {
  if (!texts.has_data()) return "no --data";
  return model.tokenizer.empty() ? "no tokenizer" : "";
}

// The tasks of every model, without rows.
std::vector<std::vector<EncodedTask>> encode_tasks(const SweepConfig& config,
                                                   const std::vector<FoundModel>& models,
                                                   SweepTexts& texts,
                                                   std::vector<std::string>& notes) {
  std::vector<std::vector<EncodedTask>> tasks;
  for (const FoundModel& model : models) {
    std::vector<EncodedTask>& of_model = tasks.emplace_back();
    const std::string why = why_nominal(texts, model);
    if (!why.empty() && !config.tasks.empty()) {
      notes.push_back(
          model.name() + ": " + why + ": every task's length is nominal, " +
          (texts.has_data() ? "" : std::to_string(NominalLength::kDocuments) + " documents of ") +
          std::to_string(NominalLength::kContext) +
          " context tokens (as many again per example), " +
          std::to_string(NominalLength::kChoices) + " choices of " +
          std::to_string(NominalLength::kContinuation));
    }
    for (std::size_t t = 0; t < config.tasks.size(); ++t) {
      of_model.push_back(why.empty() ? texts.encode(t, model)
                                     : nominal_task(texts.tasks()[t], config.tasks[t].max_length));
    }
  }
  return tasks;
}

std::size_t index_of(const std::vector<FoundModel>& models, const std::string& name) {
  std::size_t index = 0;
  while (models[index].name() != name) ++index;
  return index;
}

double dense_task_flops(const ModelShape& shape, const EncodedTask& task) {
  std::vector<std::int64_t> lengths;
  for (const ContextGroup& group : task.groups) lengths.push_back(group.context_length());
  return groups_flops(shape, task.groups, lengths, PruningPlan::dense()).total();
}

double dense_context_flops(const ModelShape& shape, std::int64_t context, const RunShape& run) {
  const std::vector<RunItem> items(static_cast<std::size_t>(run.windows), {context, run.score - 1});
  return run_flops(shape, items, PruningPlan::dense()).total();
}

std::string task_title(const TaskPrompts& prompts) {
  return "task " + prompts.config.name +
         (prompts.settings.shots > 0 ? ", " + std::to_string(prompts.settings.shots) + "-shot"
                                     : "");
}

bool same_ids(const std::vector<Book>& a, const std::vector<Book>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](const Book& x, const Book& y) { return x.ids == y.ids; });
}

class PerplexityPlanner {
 public:
  PerplexityPlanner(const SweepPerplexity& asked, const std::vector<FoundModel>& models,
                    SweepTexts& texts, const BatchSizes& sizes, std::optional<std::int64_t> limit)
      : asked_(asked), models_(models), texts_(texts), batch_(sizes.windows) {
    run_ = {limit ? std::min(*limit, asked.windows) : asked.windows, asked.score};
  }

  PerplexityPlan plan(const FoundModel& model, const std::vector<SweepMethods>& blocks) {
    PerplexityPlan plan;
    plan.run.size = {asked_.longest_context(), asked_.score};
    plan.run.batch = batch_;
    place_windows(model, plan);
    for (const std::int64_t context : asked_.contexts) {
      const auto dense_flops = [&](const std::string& name) {
        return dense_context_flops(*models_[index_of(models_, name)].shape, context, run_);
      };
      for (ContextRow& row :
           sweep_context_rows(*model.shape, context, run_, blocks, dense_flops,
                              "model " + model.name() + ", context " + std::to_string(context))) {
        plan.run.rows.push_back(std::move(row.row));
        plan.budgets.push_back(std::move(row.budget));
      }
    }
    return plan;
  }

 private:
  void place_windows(const FoundModel& model, PerplexityPlan& plan) {
    if (!why_nominal(texts_, model).empty()) {
      plan.run.windows.assign(static_cast<std::size_t>(run_.windows), {0, 0});
      return;
    }
    plan.run.books = texts_.books(model);
    if (first_books_.empty()) {
      first_books_ = plan.run.books;
      first_model_ = model.name();
    } else if (!same_ids(first_books_, plan.run.books)) {
      throw InputError(asked_.where + ": perplexity: the tokenizers of " + first_model_ + " and " +
                       model.name() +
                       " cut the books differently, so that windows are not the same text; give "
                       "each a sweep of its own (a report puts several together)");
    }
    WindowList list = in_file(asked_.where + ": perplexity", [&] {
      return spread_windows(plan.run.books, plan.run.size, run_.windows);
    });
    plan.run.windows = std::move(list.windows);
    plan.too_short = std::move(list.too_short);
  }

  const SweepPerplexity& asked_;
  const std::vector<FoundModel>& models_;
  SweepTexts& texts_;
  std::int64_t batch_;
  RunShape run_ = {};
  std::vector<Book> first_books_;
  std::string first_model_;
};

}  // namespace

SweepPlan make_sweep_plan(const SweepConfig& config, const std::vector<FoundModel>& models,
                          SweepTexts& texts, const BatchSizes& sizes,
                          std::optional<std::int64_t> limit) {
  std::vector<std::vector<SweepMethods>> blocks;
  for (const FoundModel& model : models) {
    check_lengths(config, model);
    blocks.push_back(methods_of(config.methods, model.name(), *model.shape));
  }
  SweepPlan plan;
  std::vector<std::vector<EncodedTask>> tasks = encode_tasks(config, models, texts, plan.notes);
  std::vector<std::vector<double>> dense(models.size());
  for (std::size_t m = 0; m < models.size(); ++m) {
    for (const EncodedTask& task : tasks[m]) {
      dense[m].push_back(dense_task_flops(*models[m].shape, task));
    }
  }
  std::optional<PerplexityPlanner> planner;
  if (config.perplexity) planner.emplace(*config.perplexity, models, texts, sizes, limit);
  for (std::size_t m = 0; m < models.size(); ++m) {
    ModelPlan& of_model = plan.models.emplace_back(ModelPlan{&models[m], {}, std::nullopt});
    for (std::size_t t = 0; t < tasks[m].size(); ++t) {
      const auto dense_flops = [&](const std::string& name) {
        return dense[index_of(models, name)][t];
      };
      EncodedTask& task = tasks[m][t];
      const std::string what = "model " + models[m].name() + ", " + task_title(task.prompts);
      std::vector<TaskRow> rows = sweep_task_rows(*models[m].shape, task.groups, blocks[m],
                                                  dense_flops, sizes.tokens, what);
      of_model.tasks.push_back({std::move(task), std::move(rows)});
    }
    if (planner) of_model.perplexity = planner->plan(models[m], blocks[m]);
  }
  return plan;
}

}  // namespace simba::eval
