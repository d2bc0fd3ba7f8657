#include "eval/sweep/sweep_config.h"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <set>
#include <utility>

#include "csrc/checkpoint/quote.h"
#include "csrc/input_error.h"
#include "eval/options.h"
#include "eval/sweep/sweep_methods.h"
#include "eval/text/file_name.h"
#include "eval/text/read_file.h"
#include "eval/text/sha256.h"
#include "eval/text/toml_table.h"

namespace simba::eval {
namespace {

namespace fs = std::filesystem;

// Even a plan without books holds every window.
constexpr std::int64_t kMostWindows = std::int64_t{1} << 20;

std::int64_t checked(std::int64_t value, const std::string& where, const std::string& key,
                     std::int64_t least, std::int64_t most) {
  if (value >= least && value <= most) return value;
  const std::string bound =
      value < least ? "least " + std::to_string(least) : "most " + std::to_string(most);
  throw InputError(where + ": " + key + ": expected an integer of at " + bound + ", got " +
                   std::to_string(value));
}

std::int64_t integer_in(const TomlTable& table, const std::string& key, std::int64_t otherwise,
                        std::int64_t least, std::int64_t most = kMostCount) {
  return checked(table.integer_or(key, otherwise), table.where(key), key, least, most);
}

std::vector<std::string> texts(const TomlTable& table, const std::string& key) {
  std::vector<std::string> values;
  for (const TomlItem& item : table.items(key)) {
    if (item.table || item.text.empty()) {
      throw InputError(item.where + ": " + key + ": expected names, got " +
                       (item.table ? "a table" : "an empty string"));
    }
    if (std::find(values.begin(), values.end(), item.text) != values.end()) {
      throw InputError(item.where + ": " + key + ": " + quote(item.text) + " is given twice");
    }
    values.push_back(item.text);
  }
  return values;
}

// What begins with a dot lies beside the sweep's file.
std::string from_folder(const std::string& folder, const std::string& path) {
  if (!path.starts_with('.')) return path;
  return (fs::path(folder) / path).lexically_normal().string();
}

// The last component of a folder or a hub id.
std::string last_component(const std::string& checkpoint) {
  const fs::path path = fs::path(checkpoint).lexically_normal();
  return (path.has_filename() ? path : path.parent_path()).filename().string();
}

SweepModel read_model(const TomlItem& item, const std::string& folder) {
  SweepModel model;
  model.where = item.where;
  if (item.table) {
    model.name = item.table->string("name");
    model.checkpoint = item.table->string_or("checkpoint", model.name);
    model.shape = item.table->string_or("shape", model.name);
    item.table->refuse_other_keys();
  } else {
    model.checkpoint = item.text;
    model.name = model.shape = last_component(item.text);
  }
  if (model.name.empty() || model.name.starts_with('.') ||
      model.name.find('/') != std::string::npos) {
    throw InputError(model.where + ": models: expected a name, a folder or a hub id, got " +
                     quote(item.table ? model.name : item.text));
  }
  model.checkpoint = from_folder(folder, model.checkpoint);
  return model;
}

std::vector<SweepModel> read_models(const TomlTable& file, const std::string& folder) {
  std::vector<SweepModel> models;
  std::set<std::string> names;
  for (const TomlItem& item : file.items("models")) {
    models.push_back(read_model(item, folder));
    if (!names.insert(models.back().name).second) {
      throw InputError(item.where + ": models: " + quote(models.back().name) + " is given twice");
    }
  }
  return models;
}

std::vector<SweepTask> read_tasks(const TomlTable& file, const std::string& folder) {
  std::vector<SweepTask> tasks;
  if (!file.has("tasks")) return tasks;
  std::set<std::pair<std::string, std::int64_t>> seen;
  for (const TomlTable& table : file.tables("tasks")) {
    SweepTask task;
    task.where = table.where("names");
    task.prompts.shots = integer_in(table, "shots", 0, 0);
    if (table.has("examples")) {
      try {
        task.prompts.sampling = parse_sampling(table.string("examples"));
      } catch (const InputError&) {
        throw InputError(table.where("examples") + ": examples: expected first_n or seeded, got " +
                         quote(table.string("examples")));
      }
    }
    task.prompts.seed = table.integer_or("seed", 0);
    if (table.has("limit")) task.prompts.limit = integer_in(table, "limit", 1, 1);
    task.max_length = integer_in(table, "max_length", 2048, 1);
    for (const std::string& name : texts(table, "names")) {
      if (!seen.insert({name, task.prompts.shots}).second) {
        throw InputError(task.where + ": names: " + quote(name) + " with " +
                         std::to_string(task.prompts.shots) + " shots is given twice");
      }
      task.task = from_folder(folder, name);
      tasks.push_back(task);
    }
    table.refuse_other_keys();
  }
  return tasks;
}

std::int64_t count_in(const TomlItem& item, const std::string& key) {
  std::int64_t value = 0;
  const char* end = item.text.data() + item.text.size();
  const auto [stop, error] = std::from_chars(item.text.data(), end, value);
  if (item.table || error != std::errc() || stop != end || value < 1) {
    throw InputError(item.where + ": " + key + ": expected integers of at least 1, got " +
                     (item.table ? "a table" : quote(item.text)));
  }
  return checked(value, item.where, key, 1, kMostCount);
}

std::optional<SweepPerplexity> read_perplexity(const TomlTable& file, const std::string& folder) {
  if (!file.has("perplexity")) return std::nullopt;
  const TomlTable table = file.table("perplexity");
  SweepPerplexity perplexity;
  perplexity.where = table.where();
  perplexity.text = from_folder(folder, table.string("text"));
  for (const TomlItem& item : table.items("contexts")) {
    const std::int64_t context = count_in(item, "contexts");
    std::vector<std::int64_t>& known = perplexity.contexts;
    if (std::find(known.begin(), known.end(), context) != known.end()) {
      throw InputError(item.where + ": contexts: " + item.text + " is given twice");
    }
    known.push_back(context);
  }
  perplexity.score = integer_in(table, "score", 64, 1);
  perplexity.windows = integer_in(table, "windows", 64, 1, kMostWindows);
  table.refuse_other_keys();
  return perplexity;
}

void check_named(const std::vector<std::string>& names, const std::vector<SweepModel>& models,
                 const std::string& where) {
  std::string known;
  for (const SweepModel& model : models) known += (known.empty() ? "" : ", ") + model.name;
  for (const std::string& name : names) {
    if (std::any_of(models.begin(), models.end(),
                    [&](const SweepModel& model) { return model.name == name; })) {
      continue;
    }
    throw InputError(where + ": expected models of this file (" + known + "), got " + quote(name));
  }
}

std::vector<SweepMethods> read_all_methods(const TomlTable& file,
                                           const std::vector<SweepModel>& models) {
  std::vector<SweepMethods> all;
  if (!file.has("methods")) return all;
  for (const TomlTable& table : file.tables("methods")) {
    SweepMethods methods = read_methods(table);
    if (table.has("match")) {
      methods.match = texts(table, "match");
      check_named(methods.match, models, table.where("match") + ": match");
    }
    if (table.has("models")) {
      methods.models = texts(table, "models");
      check_named(methods.models, models, table.where("models") + ": models");
    }
    table.refuse_other_keys();
    all.push_back(std::move(methods));
  }
  return all;
}

}  // namespace

std::int64_t SweepPerplexity::longest_context() const {
  return *std::max_element(contexts.begin(), contexts.end());
}

SweepConfig read_sweep_config(const std::string& path) {
  const std::string text = read_file(path);
  const TomlTable file = TomlTable::parse(text, path);
  SweepConfig config;
  config.file = file_name(path);
  config.folder = fs::absolute(fs::path(path)).parent_path().lexically_normal().string();
  config.sha256 = sha256(text);
  config.title = file.string("title");
  config.models = read_models(file, config.folder);
  config.tasks = read_tasks(file, config.folder);
  config.perplexity = read_perplexity(file, config.folder);
  config.methods = read_all_methods(file, config.models);
  file.refuse_other_keys();
  if (config.tasks.empty() && !config.perplexity) {
    throw InputError(path + ":1: expected [[tasks]], [perplexity] or both, found neither");
  }
  return config;
}

}  // namespace simba::eval
