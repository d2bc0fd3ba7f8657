#include "eval/sweep/sweep_inputs.h"

#include <algorithm>
#include <filesystem>
#include <set>

#include "csrc/input_error.h"
#include "eval/run/model_files.h"
#include "eval/sweep/in_file.h"
#include "eval/tasks/task_catalog.h"

namespace simba::eval {
namespace {

namespace fs = std::filesystem;

TaskPrompts read_task(const SweepTask& task, const std::string& data,
                      const std::string& task_folder, std::optional<std::int64_t> limit) {
  return in_file(task.where, [&] {
    const TaskConfig config = find_tasks({task.task}, task_folder).front();
    PromptSettings settings = task.prompts;
    if (limit) settings.limit = std::min(*limit, settings.limit.value_or(*limit));
    if (!data.empty()) return read_prompts(config, data, settings);
    if (settings.shots > 0 && config.few_shot.empty()) {
      throw InputError("shots: task " + config.name + " has no [[few_shot]] in " + config.path);
    }
    return TaskPrompts{config, settings, {}, {}, {}, {}, {}};
  });
}

std::string books_path(const std::string& text, const std::string& data) {
  return fs::path(text).is_absolute() ? text : (fs::path(data) / text).string();
}

}  // namespace

SweepTexts::SweepTexts(const SweepConfig& config, const std::string& data,
                       const std::string& task_folder, std::optional<std::int64_t> limit)
    : config_(config), data_(data) {
  std::set<std::pair<std::string, std::int64_t>> seen;
  for (const SweepTask& task : config.tasks) {
    tasks_.push_back(read_task(task, data, task_folder, limit));
    const std::string& name = tasks_.back().config.name;
    if (!seen.insert({name, task.prompts.shots}).second) {
      throw InputError(task.where + ": names: task " + name + " with " +
                       std::to_string(task.prompts.shots) + " shots is given twice");
    }
  }
}

SweepTexts::Tokens& SweepTexts::tokens_of(const FoundModel& model) {
  std::string& hash = hashes_[model.tokenizer];
  if (hash.empty()) hash = hash_file(model.tokenizer).sha256;
  Tokens& tokens = tokens_[hash];
  if (!tokens.tokenizer) tokens.tokenizer = load_tokenizer(model.tokenizer);
  return tokens;
}

EncodedTask SweepTexts::encode(std::size_t task, const FoundModel& model) {
  Tokens& tokens = tokens_of(model);
  const std::int64_t rows = model.shape->vocab_size();
  const auto known = tokens.tasks.find({task, rows});
  if (known != tokens.tasks.end()) return known->second;
  const SweepTask& asked = config_.tasks[task];
  EncodedTask encoded = in_file(asked.where + ": model " + model.name(), [&] {
    return encode_task(tasks_[task], *tokens.tokenizer, rows, asked.max_length);
  });
  return tokens.tasks.emplace(std::pair(task, rows), std::move(encoded)).first->second;
}

std::vector<Book> SweepTexts::books(const FoundModel& model) {
  Tokens& tokens = tokens_of(model);
  const std::string where = config_.perplexity->where + ": perplexity";
  if (tokens.books.empty()) {
    tokens.books = in_file(where, [&] {
      return read_books(books_path(config_.perplexity->text, data_), *tokens.tokenizer);
    });
  }
  in_file(where + ": model " + model.name(),
          [&] { check_ids(tokens.books, *tokens.tokenizer, model.shape->vocab_size()); });
  return tokens.books;
}

EncodedTask nominal_task(TaskPrompts prompts, std::int64_t max_length) {
  auto documents = static_cast<std::size_t>(NominalLength::kDocuments);
  if (!prompts.examples.empty()) {
    documents = prompts.examples.size();
  } else if (prompts.settings.limit) {
    documents = std::min(documents, static_cast<std::size_t>(*prompts.settings.limit));
  }
  const std::int64_t choice = std::min(NominalLength::kContinuation, max_length);
  const std::int64_t context = std::max<std::int64_t>(
      1, std::min(NominalLength::kContext * (1 + prompts.settings.shots), max_length + 1 - choice));
  std::vector<ContextGroup> groups(documents);
  for (std::size_t d = 0; d < documents; ++d) {
    groups[d].context.assign(static_cast<std::size_t>(context), 0);
    for (std::size_t c = 0; c < static_cast<std::size_t>(NominalLength::kChoices); ++c) {
      const std::vector<std::int64_t> ids(static_cast<std::size_t>(choice), 0);
      groups[d].continuations.push_back({d, c, ids});
    }
  }
  prompts.requests.clear();
  return {std::move(prompts), max_length, std::move(groups)};
}

}  // namespace simba::eval
