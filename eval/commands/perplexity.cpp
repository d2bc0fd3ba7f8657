#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <future>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>

#include "csrc/checkpoint/hub_cache.h"
#include "csrc/checkpoint/load_model.h"
#include "csrc/checkpoint/load_shape.h"
#include "csrc/input_error.h"
#include "eval/commands/commands.h"
#include "eval/commands/perplexity_request.h"
#include "eval/options.h"
#include "eval/perplexity/perplexity_results.h"
#include "eval/perplexity/perplexity_run.h"
#include "eval/perplexity/perplexity_table.h"
#include "eval/run/finish_run.h"
#include "eval/run/journal.h"
#include "eval/run/log.h"
#include "eval/run/model_files.h"
#include "eval/run/output_folder.h"
#include "eval/run/processes.h"
#include "eval/run/run_info.h"
#include "eval/run/units.h"
#include "eval/text/read_file.h"

namespace simba::eval {
namespace {

struct PlacedWindows {
  std::string how;
  WindowList list;
};

PlacedWindows place_windows(const PerplexityOptions& options, const std::vector<Book>& books,
                            const WindowSize& size) {
  if (options.windows_per_book > 0) {
    return {"per_book", windows_per_book(books, size, options.windows_per_book)};
  }
  if (options.windows.find_first_not_of("0123456789") != std::string::npos) {
    return {"file", read_windows(options.windows, books, size)};
  }
  return {"spread",
          spread_windows(books, size, parse_counts("--windows", options.windows).front())};
}

// The last scored token is not fed.
void check_length(const WindowSize& size, const ModelShape& model) {
  const std::optional<std::int64_t> most = model.max_length();
  if (!most || size.context + size.score - 1 <= *most) return;
  throw InputError("--context: expected context + score - 1 of at most the model's " +
                   std::to_string(*most) + " tokens, got " + std::to_string(size.context) + " + " +
                   std::to_string(size.score) + " - 1");
}

// The names of books too short for one window.
void report_too_short(const std::vector<Book>& books, const WindowList& list,
                      const WindowSize& size) {
  if (list.too_short.empty()) return;
  std::string names;
  for (const std::size_t book : list.too_short) {
    names += (names.empty() ? "" : ", ") + books[book].name + " (" +
             std::to_string(books[book].length()) + ")";
  }
  log_info(std::to_string(list.too_short.size()) + " of " + std::to_string(books.size()) +
           " books have fewer than " + std::to_string(size.total()) +
           " ids and are left out: " + names);
}

void warn_not_finite(const PerplexityRun& run, const std::vector<RowSummary>& summaries) {
  for (std::size_t r = 0; r < run.rows.size(); ++r) {
    if (std::isfinite(summaries[r].mean_nll)) continue;
    log_warning(run.rows[r].method.label() + " at context " + std::to_string(run.rows[r].context) +
                ": log-likelihoods are not finite");
  }
}

nlohmann::ordered_json run_json(const RunInfo& info, const PerplexityRun& run,
                                const std::vector<RowScores>& scores) {
  nlohmann::ordered_json json = run_info_json(info);
  // As the processes that computed the batches measured it, in this run or one that it goes on
  // with.
  nlohmann::ordered_json& seconds = json["row_seconds"] = nlohmann::ordered_json::array();
  for (std::size_t r = 0; r < run.rows.size(); ++r) {
    seconds.push_back({{"method", run.rows[r].method.name()},
                       {"context", run.rows[r].context},
                       {"tokens_read", run.rows[r].length},
                       {"prefill", scores[r].prefill_seconds},
                       {"continuation", scores[r].continuation_seconds}});
  }
  return json;
}

}  // namespace

void run(const PerplexityOptions& typed, const std::string& command_line) {
  const at::NoGradGuard no_grad;
  RunInfo info;
  const ProcessPlace place = find_process_place();
  PerplexityOptions options = typed;
  options.device = local_device(typed.device, place);
  const PerplexityRequest request = check_options(options);
  Processes processes(place);
  processes.choose_threads(options.threads);
  std::optional<OutputFolder> out;
  if (!options.out.empty() && processes.is_first()) {
    out.emplace(options.out, options.force, options.resume);
  }

  const std::string model_dir = find_model_dir(options.model);
  // Hashing gigabytes of weights takes seconds: they pass while books are read and the model is
  // loaded.
  std::future<std::vector<FileHash>> weights;
  if (out || !processes.is_alone()) {
    weights = std::async(std::launch::async, hash_weights, model_dir);
  }
  info.tokenizer = tokenizer_path(options.tokenizer, model_dir);
  const std::unique_ptr<Tokenizer> tokenizer = load_tokenizer(info.tokenizer);
  PerplexityRun run;
  run.books = read_books(options.data, *tokenizer);
  // Whatever can be wrong with data or options is found before a weight is read.
  const std::unique_ptr<ModelShape> model_shape = load_shape(model_dir);
  check_ids(run.books, *tokenizer, model_shape->vocab_size());
  run.size = {*std::max_element(request.contexts.begin(), request.contexts.end()), options.score};
  check_length(run.size, *model_shape);
  const auto [placed, list] = place_windows(options, run.books, run.size);
  report_too_short(run.books, list, run.size);
  run.windows = list.windows;
  run.batch = options.batch;
  const RunShape shape{static_cast<std::int64_t>(run.windows.size()), options.score};
  run.rows = make_rows(*model_shape, request.methods, request.contexts, shape);
  if (options.methods.match_flops)
    run.rows = with_matched_flops(*model_shape, std::move(run.rows), shape);
  const std::unique_ptr<LanguageModel> model = load_model(model_dir, request.dtype, request.device);

  PerplexitySettings settings;
  settings.model_config = read_file((std::filesystem::path(model_dir) / "config.json").string());
  if (weights.valid()) settings.weights = weights.get();
  settings.tokenizer = hash_file(info.tokenizer);
  settings.windows = placed;
  settings.contexts = request.contexts;
  settings.methods = request.grid;
  settings.match_flops = options.methods.match_flops;
  settings.dtype = request.dtype;
  settings.device = request.device.type();
  const nlohmann::ordered_json bound = perplexity_journal_settings(settings, run, list.too_short);
  processes.agree(bound);

  const Units units = perplexity_units(*model, run);
  std::optional<Journal> journal;
  if (out) journal.emplace(*out, bound, units.count);
  const std::vector<nlohmann::ordered_json> records =
      run_units(units, journal ? &*journal : nullptr, processes);
  if (!processes.is_first()) return;

  const std::vector<RowScores> scores = merge_records(run, records);
  const std::vector<RowSummary> summaries = summarize(run, scores, model->n_layer());
  warn_not_finite(run, summaries);
  std::cout << perplexity_table(run, scores, summaries) << std::flush;
  if (!out) return;
  info.command_line = command_line;
  info.model = options.model;
  info.data = options.data;
  info.device = request.device.str();
  info.batch = options.batch;
  info.processes = processes.count();
  finish_run(*out, *journal, run_json(info, run, scores),
             perplexity_results(settings, run, list.too_short, scores, summaries));
}

}  // namespace simba::eval
