// Runs of a made-up task on any model: from its documents to its scores.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "eval/tasks/task_run.h"

namespace simba::test {

inline constexpr std::int64_t kMaxLength = 400;

eval::MethodGrid grid_of(const std::vector<std::string>& criteria,
                         const std::vector<std::string>& retentions);

// Lines of kChoicesTask: questions of many lengths; every third one is asked twice, and choices of
// one token are among them.
std::string colour_lines(int count);

eval::TaskPrompts prompts_of(const std::string& toml, const std::string& file,
                             const std::string& lines, const eval::PromptSettings& settings = {});

eval::TaskRun make_run(const ModelShape& model, const Tokenizer& tokenizer,
                       const eval::TaskMethods& methods, std::int64_t batch_tokens,
                       int documents = 12);

std::vector<nlohmann::ordered_json> records_of(LanguageModel& model,
                                               const std::vector<eval::TaskRun>& runs,
                                               bool backwards = false);

std::vector<eval::TaskRowScores> scores_of(LanguageModel& model, const eval::TaskRun& run);

std::vector<std::vector<double>> likelihoods(const eval::TaskRowScores& scores);

}  // namespace simba::test
