#include "eval/tasks/prompts.h"

#include <algorithm>

#include "csrc/input_error.h"

namespace simba::eval {
namespace {

void add_note(const std::string& note, std::vector<std::string>& notes) {
  if (!note.empty()) notes.push_back(note);
}

FewShot read_few_shot(const std::string& data, TaskPrompts& prompts) {
  const PromptSettings& settings = prompts.settings;
  if (settings.shots == 0) return {};
  const TaskConfig& config = prompts.config;
  if (config.few_shot.empty()) {
    throw InputError("--shots " + std::to_string(settings.shots) + ": task " + config.name +
                     " has no [[few_shot]] in " + config.path);
  }
  const DocumentFile pool = read_documents(config.few_shot, data, config.name + " (few-shot)");
  prompts.few_shot_files = pool.files;
  add_note(pool.note, prompts.notes);
  return {config, pool, settings.shots, settings.sampling, settings.seed};
}

}  // namespace

TaskPrompts read_prompts(const TaskConfig& config, const std::string& data,
                         const PromptSettings& settings) {
  TaskPrompts prompts;
  prompts.config = config;
  prompts.settings = settings;
  DocumentFile file = read_documents(config.documents, data, config.name);
  prompts.files = file.files;
  add_note(file.note, prompts.notes);
  const FewShot few_shot = read_few_shot(data, prompts);

  std::size_t count = file.documents.size();
  if (settings.limit) count = std::min(count, static_cast<std::size_t>(*settings.limit));
  for (std::size_t i = 0; i < count; ++i) {
    Example example = make_example(config, file.documents[i]);
    prompts.requests.push_back(make_requests(config, example, few_shot.prefix(example, i)));
    prompts.examples.push_back(std::move(example));
  }
  return prompts;
}

}  // namespace simba::eval
