#include "eval/tasks/task_config.h"

#include <algorithm>
#include <array>
#include <utility>

#include "csrc/input_error.h"
#include "eval/tasks/clean_up.h"
#include "eval/text/read_file.h"
#include "eval/text/sha256.h"
#include "eval/text/toml_table.h"

namespace simba::eval {
namespace {

constexpr std::array<std::pair<const char*, Metric>, 4> kMetrics = {{
    {"acc", Metric::kAcc},
    {"acc_norm", Metric::kAccNorm},
    {"acc_bytes", Metric::kAccBytes},
    {"perplexity", Metric::kPerplexity},
}};

constexpr std::array<std::pair<const char*, LabelRule::Form>, 4> kForms = {{
    {"index", LabelRule::Form::kIndex},
    {"number", LabelRule::Form::kNumber},
    {"letter", LabelRule::Form::kLetter},
    {"key", LabelRule::Form::kKey},
}};

template <typename T, std::size_t N>
T value_of(const std::array<std::pair<const char*, T>, N>& table, const std::string& name,
           const std::string& where) {
  std::string names;
  for (const auto& [known, value] : table) {
    if (name == known) return value;
    names += (names.empty() ? "" : ", ") + std::string(known);
  }
  throw InputError(where + ": expected one of " + names + ", got '" + name + "'");
}

std::vector<Template> templates_of(const TomlTable& table, const std::string& key) {
  std::vector<Template> templates;
  for (const std::string& text : table.strings(key)) {
    templates.push_back(Template::parse(text, table.where(key)));
  }
  return templates;
}

Template template_of(const TomlTable& table, const std::string& key) {
  return Template::parse(table.string(key), table.where(key));
}

DocumentSource read_source(const TomlTable& table) {
  DocumentSource source;
  source.where = table.where();
  source.files = table.strings("files");
  source.labels = table.string_or("labels", "");
  source.clean_up = table.string_or("clean_up", "");
  if (!source.clean_up.empty()) check_clean_up(source.clean_up, table.where("clean_up"));
  source.note = table.string_or("note", "");
  if (table.has("keep")) {
    const TomlTable keep = table.table("keep");
    source.keep_field = keep.string("field");
    source.keep_values = keep.strings("values");
    keep.refuse_other_keys();
  }
  table.refuse_other_keys();
  return source;
}

std::vector<DocumentSource> read_sources(const TomlTable& file, const std::string& key) {
  std::vector<DocumentSource> sources;
  for (const TomlTable& table : file.tables(key)) sources.push_back(read_source(table));
  return sources;
}

void read_prompt(const TomlTable& prompt, TaskConfig& task) {
  const bool choices = prompt.has("choices") || prompt.has("choices_field");
  const bool contexts = prompt.has("contexts");
  const bool target = prompt.has("target");
  if (choices && !contexts && !target) {
    task.kind = TaskKind::kChoices;
    if (prompt.has("choices") && prompt.has("choices_field")) {
      throw InputError(prompt.where("choices") + ": expected choices or choices_field, got both");
    }
    if (prompt.has("choices")) task.choices = templates_of(prompt, "choices");
    if (prompt.has("choices_field")) task.choices_field = prompt.string("choices_field");
  } else if (contexts && target && !choices && !prompt.has("context")) {
    task.kind = TaskKind::kContexts;
  } else if (target && !contexts && !choices) {
    task.kind = TaskKind::kTarget;
  } else {
    throw InputError(prompt.where() +
                     ": [prompt]: expected context and choices (or choices_field), or contexts and "
                     "target, or context and target");
  }
  task.contexts = contexts ? templates_of(prompt, "contexts")
                           : std::vector<Template>{template_of(prompt, "context")};
  if (target) task.target = template_of(prompt, "target");
  task.target_delimiter = prompt.string_or("target_delimiter", task.target_delimiter);
  task.example_delimiter = prompt.string_or("example_delimiter", task.example_delimiter);
  prompt.refuse_other_keys();
}

LabelRule read_label(const TomlTable& table) {
  LabelRule label;
  label.field = table.string("field");
  label.form = value_of(kForms, table.string("form"), table.where("form"));
  if (label.form == LabelRule::Form::kKey) label.keys = table.string("keys");
  table.refuse_other_keys();
  return label;
}

void read_score(const TomlTable& score, TaskConfig& task) {
  const bool ranks = task.kind != TaskKind::kTarget;
  for (const std::string& name : score.strings("metrics")) {
    const Metric metric = value_of(kMetrics, name, score.where("metrics"));
    const bool ranking = metric == Metric::kAccNorm || metric == Metric::kAccBytes;
    if (ranks ? metric == Metric::kPerplexity : ranking) {
      throw InputError(score.where("metrics") + ": " + name + " is no metric of a task with " +
                       (ranks ? "choices" : "one target"));
    }
    if (std::count(task.metrics.begin(), task.metrics.end(), metric)) {
      throw InputError(score.where("metrics") + ": " + name + " is given twice");
    }
    task.metrics.push_back(metric);
  }
  const std::string primary = score.string("primary");
  task.primary = value_of(kMetrics, primary, score.where("primary"));
  if (!std::count(task.metrics.begin(), task.metrics.end(), task.primary) ||
      task.primary == Metric::kPerplexity) {
    throw InputError(score.where("primary") + ": expected one of the metrics, an accuracy, got '" +
                     primary + "'");
  }
  score.refuse_other_keys();
}

}  // namespace

std::string metric_name(Metric metric) {
  for (const auto& [name, known] : kMetrics) {
    if (metric == known) return name;
  }
  return "?";
}

TaskConfig read_task_config(const std::string& path) {
  const std::string text = read_file(path);
  const TomlTable file = TomlTable::parse(text, path);
  TaskConfig task;
  task.path = path;
  task.sha256 = sha256(text);
  task.name = file.string("name");
  if (task.name.empty()) throw InputError(file.where("name") + ": expected a name, got ''");
  task.documents = read_sources(file, "documents");
  if (file.has("few_shot")) task.few_shot = read_sources(file, "few_shot");
  read_prompt(file.table("prompt"), task);
  if (task.kind != TaskKind::kTarget) task.label = read_label(file.table("label"));
  read_score(file.table("score"), task);
  file.refuse_other_keys();
  return task;
}

}  // namespace simba::eval
