// From files to figures: on a fake model, and on the demo's real one where bits matter.
#include "eval/tasks/task_run.h"

#include <ATen/core/grad_mode.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <numeric>

#include "csrc/checkpoint/load_model.h"
#include "eval/scoring.h"
#include "eval/tasks/task_results.h"
#include "eval/tasks/task_table.h"
#include "tests/cpp/eval/fake_model.h"
#include "tests/cpp/eval/fake_tokenizer.h"
#include "tests/cpp/eval/tasks/task_files.h"
#include "tests/cpp/refusal.h"

namespace simba::eval {
namespace {

using test::refuses;
using test::TemporaryFolder;
using Json = nlohmann::ordered_json;

constexpr std::int64_t kMaxLength = 400;

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

// Questions of many lengths; every third one is asked twice, and choices of one token are among
// them.
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
                       const PromptSettings& settings = {}) {
  const TemporaryFolder folder;
  folder.write(file, lines);
  folder.write("examples.jsonl", lines);
  return read_prompts(test::task(toml), folder.path(), settings);
}

TaskRun make_run(const ModelShape& model, const Tokenizer& tokenizer, const TaskMethods& methods,
                 std::int64_t batch_tokens, int documents = 12) {
  EncodedTask task =
      encode_task(prompts_of(test::kChoicesTask, "colours.jsonl", colour_lines(documents)),
                  tokenizer, model.vocab_size(), kMaxLength);
  std::vector<TaskRow> rows = make_task_rows(model, task.groups, methods, batch_tokens);
  return {std::move(task), std::move(rows)};
}

std::vector<Json> records_of(LanguageModel& model, const std::vector<TaskRun>& runs,
                             bool backwards = false) {
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

TEST(TaskRun, EqualContextsShareAPrefill) {
  const FakeModel model;
  const TaskRun run =
      make_run(model, FakeTokenizer(), {grid_of({"recent"}, {"0.5"}), {}, false}, 500);
  EXPECT_EQ(run.task.documents(), 12u);
  EXPECT_EQ(run.task.groups.size(), 8u);
  std::size_t continuations = 0;
  for (const ContextGroup& group : run.task.groups) continuations += group.continuations.size();
  EXPECT_EQ(continuations, 36u);
}

TEST(TaskRun, BatchesAreSortedAndFull) {
  const FakeModel model;
  const TaskRun run =
      make_run(model, FakeTokenizer(), {grid_of({"recent"}, {"0.5"}), {}, false}, 200);
  for (const TaskRow& row : run.rows) {
    std::vector<std::size_t> seen;
    std::int64_t previous = std::numeric_limits<std::int64_t>::max();
    for (const Batch& batch : row.batches) {
      std::int64_t tokens = 0;
      for (const std::size_t group : batch) {
        seen.push_back(group);
        EXPECT_LE(row.lengths[group], previous);
        previous = row.lengths[group];
        tokens += row.lengths[group] + run.task.groups[group].extended_tokens();
      }
      EXPECT_TRUE(tokens <= 200 || batch.size() == 1);
    }
    std::sort(seen.begin(), seen.end());
    std::vector<std::size_t> all(run.task.groups.size());
    std::iota(all.begin(), all.end(), std::size_t{0});
    EXPECT_EQ(seen, all);
    EXPECT_GT(row.batches.size(), 1u);
  }
}

TEST(TaskRun, ScoresAreThoseOfTokensReadOneByOne) {
  FakeModel model;
  const TaskRun run =
      make_run(model, FakeTokenizer(), {grid_of({"recent"}, {"0.5"}), {}, true}, 300);
  const std::vector<TaskRowScores> scores = scores_of(model, run);
  for (std::size_t r = 0; r < run.rows.size(); ++r) {
    if (!run.rows[r].method.plan.is_dense()) continue;
    for (std::size_t g = 0; g < run.task.groups.size(); ++g) {
      const ContextGroup& group = run.task.groups[g];
      for (const Continuation& continuation : group.continuations) {
        PackedTokens context;
        const std::int64_t length = run.rows[r].lengths[g];
        context.append(group.context.data() + group.context.size() - length, length);
        Prefill prefill = model.prefill(context, PruningPlan::dense(), nullptr);
        Predictions next(prefill.last_logits);
        double sum = 0;
        bool greedy = true;
        for (std::size_t k = 0; k < continuation.ids.size(); ++k) {
          if (k > 0) {
            const PackedTokens one{{continuation.ids[k - 1]}, {1}};
            next = Predictions(model.extend(*prefill.state, one, nullptr));
          }
          sum -= next.nll(0, continuation.ids[k]);
          greedy = greedy && next.top(0) == continuation.ids[k];
        }
        const ContinuationScore& score =
            scores[r].documents[continuation.document][continuation.choice];
        EXPECT_DOUBLE_EQ(score.log_likelihood, sum);
        EXPECT_EQ(score.greedy, greedy);
      }
    }
  }
  EXPECT_NE(likelihoods(scores[0]), likelihoods(scores[1]));
}

TEST(TaskRun, RecordsSurviveTheirText) {
  BatchScores scores;
  const double infinity = std::numeric_limits<double>::infinity();
  for (const double value : {-1.0 / 3, -infinity, infinity, std::nan(""), -0.0, -1e-300}) {
    scores.continuations.push_back({value, scores.continuations.size() % 2 == 0});
  }
  scores.overlap[3] = {40, 39};
  scores.seconds = 0.25;
  const BatchScores back = from_record(Json::parse(to_record(scores).dump()));
  ASSERT_EQ(back.continuations.size(), scores.continuations.size());
  for (std::size_t i = 0; i < scores.continuations.size(); ++i) {
    const double value = scores.continuations[i].log_likelihood;
    if (std::isnan(value)) {
      EXPECT_TRUE(std::isnan(back.continuations[i].log_likelihood));
    } else {
      EXPECT_EQ(back.continuations[i].log_likelihood, value);
      EXPECT_EQ(std::signbit(back.continuations[i].log_likelihood), std::signbit(value));
    }
    EXPECT_EQ(back.continuations[i].greedy, scores.continuations[i].greedy);
  }
  EXPECT_EQ(back.overlap.at(3).kept, 40);
  EXPECT_EQ(back.overlap.at(3).recent, 39);
  EXPECT_EQ(back.seconds, 0.25);
}

Json results_of(LanguageModel& model, const std::vector<TaskRun>& runs, bool backwards) {
  const auto scores = collect_scores(runs, records_of(model, runs, backwards));
  const auto summaries = summarize_task(runs.front(), scores.front());
  const std::vector<TaskResult> results = {{"m", &runs.front(), &scores.front(), &summaries}};
  return {task_rows_json(results), task_documents_json(results)};
}

TEST(TaskRun, ResultsDependNeitherOnBatchNorOnOrder) {
  FakeModel model;
  const TaskMethods methods{grid_of({"recent", "random"}, {"0.5"}), {}, true};
  const Json whole =
      results_of(model, {make_run(model, FakeTokenizer(), methods, 1'000'000)}, false);
  EXPECT_EQ(results_of(model, {make_run(model, FakeTokenizer(), methods, 1)}, false), whole);
  EXPECT_EQ(results_of(model, {make_run(model, FakeTokenizer(), methods, 250)}, true), whole);
}

// Bit for bit with the real model: kernels, products and selections of packed sequences.
TEST(TaskRun, TheDemosScoresDependNeitherOnBatchNorOnOrder) {
  const at::NoGradGuard no_grad;
  const std::string folder = std::string(SIMBA_SOURCE_DIR) + "/examples/demo/model";
  const auto model = load_model(folder, at::kFloat, at::kCPU);
  const auto tokenizer = load_tokenizer(folder + "/tokenizer.model");
  const TaskMethods methods{grid_of({"influence", "random"}, {"0.3"}), {}, true};
  const std::vector<TaskRun> whole = {make_run(*model, *tokenizer, methods, 1'000'000, 6)};
  const auto expected = collect_scores(whole, records_of(*model, whole)).front();
  for (const std::int64_t batch_tokens : {1, 60}) {
    const std::vector<TaskRun> runs = {make_run(*model, *tokenizer, methods, batch_tokens, 6)};
    EXPECT_GT(runs.front().unit_count(), whole.front().unit_count());
    const auto scores = collect_scores(runs, records_of(*model, runs, batch_tokens > 1)).front();
    for (std::size_t r = 0; r < scores.size(); ++r) {
      EXPECT_EQ(likelihoods(scores[r]), likelihoods(expected[r])) << r;
    }
  }
  EXPECT_NE(likelihoods(expected[0]), likelihoods(expected[1]));
}

TEST(TaskRows, FlopsOfGroupsByHand) {
  const FakeModel model;
  // A context of 10 tokens in 4 layers, continuations of 1, 3 and 3 tokens.
  const ContextGroup group{std::vector<std::int64_t>(10, 2),
                           {{0, 0, {1}}, {0, 1, {1, 2, 3}}, {0, 2, {4, 5, 6}}}};
  const FlopCount flops = group_flops(model, group, 10, PruningPlan::dense());
  EXPECT_EQ(flops.prefill, 4 * 10 * 100);
  EXPECT_EQ(flops.continuation, 10 * 4);
  EXPECT_EQ(flops.head, 1 + 4);
  EXPECT_EQ(groups_flops(model, {group, group}, {10, 5}, PruningPlan::dense()).prefill, 6000);
}

TEST(TaskRows, TruncatedRowsSpendWhatTheyMatch) {
  const FakeModel model;
  const TaskRun run = make_run(model, FakeTokenizer(),
                               {grid_of({"recent", "spaced"}, {"0.5", "0.2"}), {}, true}, 500);
  ASSERT_EQ(run.rows.size(), 7u);  // dense, 2 x 2, 2 truncated that both criteria share
  for (std::size_t r = 5; r < 7; ++r) {
    const TaskRow& row = run.rows[r];
    EXPECT_EQ(row.method.criterion, "truncated");
    EXPECT_EQ(row.matches.size(), 2u);
    for (const Match& match : row.matches) {
      EXPECT_NEAR(row.flops.total() / match.budget, 1, 0.01);
    }
    for (std::size_t g = 0; g < row.lengths.size(); ++g) {
      EXPECT_LE(row.lengths[g], run.task.groups[g].context_length());
      EXPECT_GE(row.lengths[g], 1);
    }
  }
}

TEST(TaskRows, BudgetsAreSolvedForRetentions) {
  const FakeModel model;
  const MethodGrid grid = grid_of({"recent"}, {"1"});
  const double dense =
      make_run(model, FakeTokenizer(), {grid, {}, false}, 500).rows[0].flops.total();
  const TaskMethods methods{
      grid, {{"0.7", 0.7, true}, {"1", 1, true}, {"x", 0.8 * dense, false}}, true};
  const TaskRun run = make_run(model, FakeTokenizer(), methods, 500);
  // A budget of dense is dense.
  ASSERT_EQ(run.rows.size(), 5u);
  EXPECT_EQ(run.rows[1].budget->text, "0.7");
  EXPECT_NEAR(run.rows[1].flops.total() / dense, 0.7, 0.007);
  EXPECT_NEAR(run.rows[2].flops.total() / dense, 0.8, 0.008);
  EXPECT_LT(run.rows[1].method.retention->value(), run.rows[2].method.retention->value());
  EXPECT_NEAR(run.rows[3].flops.total() / dense, 0.7, 0.014);
  EXPECT_TRUE(
      refuses("--budget 0.2: recent: budget: expected a run total within 1 % of one in [", [&] {
        make_run(model, FakeTokenizer(), {grid, {{"0.2", 0.2, true}}, false}, 500);
      }));
  MethodGrid steps = grid;
  steps.schedules = {Schedule::parse("steps:2=0.5")};
  EXPECT_TRUE(refuses("schedule steps:2=0.5 has no retention to solve for", [&] {
    make_run(model, FakeTokenizer(), {steps, {{"0.7", 0.7, true}}, false}, 500);
  }));
}

TEST(EncodedTask, NamesTheLineOfWhatCannotBeEncoded) {
  const std::string blank = R"({"question": "ok", "options": ["x"], "answer": 0})"
                            "\n"
                            R"({"question": "q", "options": ["y"], "answer": 0})"
                            "\n";
  const TaskPrompts prompts = prompts_of(test::kChoicesTask, "colours.jsonl", blank);
  EXPECT_TRUE(refuses("colours.jsonl:1: the tokenizer does not fit the model: id ",
                      [&] { encode_task(prompts, FakeTokenizer(), 3, kMaxLength); }));
  EXPECT_TRUE(refuses("colours.jsonl:1: expected a continuation of at most 1 tokens",
                      [&] { encode_task(prompts, FakeTokenizer(), 22, 1); }));
  const TaskPrompts words =
      prompts_of(test::kTargetTask, "words.jsonl", "{\"text\": \"a b\"}\n{\"text\": \"  b\"}\n");
  EXPECT_TRUE(refuses("words.jsonl:2: expected a context with tokens, got white space alone",
                      [&] { encode_task(words, FakeTokenizer(), 22, kMaxLength); }));
}

TEST(Prompts, LimitAndShots) {
  PromptSettings settings;
  settings.limit = 2;
  settings.shots = 1;
  const TaskPrompts prompts =
      prompts_of(test::kChoicesTask, "colours.jsonl", colour_lines(5), settings);
  EXPECT_EQ(prompts.examples.size(), 2u);
  EXPECT_TRUE(prompts.requests[0][0].context.starts_with("Q: "));
  EXPECT_NE(prompts.requests[0][0].context.find("\n\nQ: "), std::string::npos);
  std::string without = test::kChoicesTask;
  const std::string few_shot = "[[few_shot]]\nfiles = [\"examples.jsonl\"]\n";
  without.replace(without.find(few_shot), few_shot.size(), "");
  EXPECT_TRUE(refuses("--shots 1: task colours has no [[few_shot]]",
                      [&] { prompts_of(without, "colours.jsonl", colour_lines(5), settings); }));
}

TEST(TaskSummary, ByHand) {
  FakeModel model;
  const TaskRun run =
      make_run(model, FakeTokenizer(), {grid_of({"recent"}, {"0.5"}), {}, false}, 500, 4);
  std::vector<TaskRowScores> scores = scores_of(model, run);
  // Right choices: 0, 1, 2, 0. Dense says 0, 1, 0, 1; the method 0, 0, 2, 0.
  const auto say = [](TaskRowScores& row, const std::vector<std::size_t>& choices) {
    for (std::size_t d = 0; d < choices.size(); ++d) {
      for (std::size_t c = 0; c < 3; ++c) {
        row.documents[d][c] = {c == choices[d] ? -1.0 : -9.0, false};
      }
    }
  };
  say(scores[0], {0, 1, 0, 1});
  say(scores[1], {0, 0, 2, 0});
  const auto summaries = summarize_task(run, scores);
  EXPECT_DOUBLE_EQ(summaries[0].metrics[0].value, 0.5);
  EXPECT_DOUBLE_EQ(summaries[1].metrics[0].value, 0.75);
  EXPECT_DOUBLE_EQ(summaries[0].metrics[0].standard_error.value(), std::sqrt(1.0 / 3 / 4));
  EXPECT_FALSE(summaries[0].difference.has_value());
  EXPECT_DOUBLE_EQ(summaries[1].difference->mean, 0.25);  // of 0, -1, 1, 1
  EXPECT_DOUBLE_EQ(summaries[1].difference->standard_error.value(),
                   std::sqrt((3 - 4 * 0.0625) / 3 / 4));
  EXPECT_EQ(summaries[0].flops_share, 1);
  EXPECT_DOUBLE_EQ(summaries[1].overlap_mean.value(), 1);
  EXPECT_TRUE(summaries[1].finite);
  EXPECT_NE(task_table({run}, {summaries}).find("75.0 ± 25.0*"), std::string::npos);
  scores[1].documents[0][0].log_likelihood = -std::numeric_limits<double>::infinity();
  EXPECT_FALSE(summarize_task(run, scores)[1].finite);
}

}  // namespace
}  // namespace simba::eval
