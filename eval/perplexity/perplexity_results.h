// results.json of `simba-eval perplexity`: every setting that can change a number, every window,
// every row. Equal settings on equal files give equal bytes: no times, no host, no folders, no
// threads, no batch.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "eval/perplexity/perplexity_summary.h"
#include "eval/run/model_files.h"

namespace simba::eval {

// What a run was computed with, beyond its windows and rows.
struct PerplexitySettings {
  std::string model_config;  // the text of config.json
  std::vector<FileHash> weights;
  FileHash tokenizer;
  std::string windows;  // how they were placed: "spread", "per_book" or "file"
  std::vector<std::int64_t> contexts;
  MethodGrid methods;
  bool match_flops = false;
  at::ScalarType dtype = at::kFloat;
  at::DeviceType device = at::kCPU;
};

// What the journal is bound to: all that can change a number or what a unit is, known before
// anything is computed.
nlohmann::ordered_json perplexity_journal_settings(const PerplexitySettings& settings,
                                                   const PerplexityRun& run,
                                                   const std::vector<std::size_t>& too_short);

nlohmann::ordered_json perplexity_results(const PerplexitySettings& settings,
                                          const PerplexityRun& run,
                                          const std::vector<std::size_t>& too_short,
                                          const std::vector<RowScores>& scores,
                                          const std::vector<RowSummary>& summaries);

}  // namespace simba::eval
