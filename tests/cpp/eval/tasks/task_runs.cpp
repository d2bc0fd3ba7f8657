#include "tests/cpp/eval/tasks/task_runs.h"

#include "tests/cpp/eval/tasks/task_files.h"

namespace simba::test {

using namespace eval;
using Json = nlohmann::ordered_json;

MethodGrid grid_of(const std::vector<std::string>& criteria,
                   const std::vector<std::string>& retentions) {
  MethodGrid grid;
  grid.criteria = criteria;
  grid.decays = {"no_bias"};
  grid.reductions = {"max"};
  for (const std::string& retention : retentions) {
    grid.retentions.push_back(Retention::parse(retention));
  }
  grid.schedules = {Schedule()};
  return grid;
}

std::string colour_lines(int count) {
  std::string lines;
  for (int i = 0; i < count; ++i) {
    const int question = i % 3 == 2 ? i - 1 : i;
    std::string text(static_cast<std::size_t>(5 + 37 * question % 60), 'a');
    for (std::size_t c = 0; c < text.size(); ++c)
      text[c] = static_cast<char>('a' + (c * 7 + question) % 26);
    lines += Json({{"question", text},
                   {"options", {std::string("b").append(std::to_string(i)), "longer choice", "c"}},
                   {"answer", i % 3}})
                 .dump() +
             "\n";
  }
  return lines;
}

TaskPrompts prompts_of(const std::string& toml, const std::string& file, const std::string& lines,
                       const PromptSettings& settings) {
  const TemporaryFolder folder;
  folder.write(file, lines);
  folder.write("examples.jsonl", lines);
  return read_prompts(task(toml), folder.path(), settings);
}

TaskRun make_run(const ModelShape& model, const Tokenizer& tokenizer, const TaskMethods& methods,
                 std::int64_t batch_tokens, int documents) {
  EncodedTask task = encode_task(prompts_of(kChoicesTask, "colours.jsonl", colour_lines(documents)),
                                 tokenizer, model.vocab_size(), kMaxLength);
  std::vector<TaskRow> rows = make_task_rows(model, task.groups, methods, batch_tokens);
  return {std::move(task), std::move(rows)};
}

std::vector<Json> records_of(LanguageModel& model, const std::vector<TaskRun>& runs,
                             bool backwards) {
  const Units units = task_units(runs, [&](std::size_t) -> LanguageModel& { return model; });
  std::vector<Json> records(units.count);
  for (std::size_t i = 0; i < units.count; ++i) {
    const std::size_t unit = backwards ? units.count - 1 - i : i;
    records[unit] = units.compute(unit, [](double, const std::string&) {});
  }
  return records;
}

std::vector<TaskRowScores> scores_of(LanguageModel& model, const TaskRun& run) {
  const std::vector<TaskRun> runs = {run};
  return collect_scores(runs, records_of(model, runs)).front();
}

std::vector<std::vector<double>> likelihoods(const TaskRowScores& scores) {
  std::vector<std::vector<double>> values;
  for (const auto& document : scores.documents) {
    values.emplace_back();
    for (const ContinuationScore& score : document) values.back().push_back(score.log_likelihood);
  }
  return values;
}

}  // namespace simba::test
