// The command line of `simba-eval perplexity`.
#pragma once

#include <cstdint>
#include <string>

#include "eval/arguments/method_options.h"

namespace CLI {
class App;
}

namespace simba::eval {

// As typed.
struct PerplexityOptions {
  std::string model, tokenizer, data, out;
  std::string context = "2048";
  std::int64_t score = 64;
  std::string windows = "64";
  std::int64_t windows_per_book = 0;
  MethodOptions methods;
  std::string dtype = "float32";
  std::string device = "cpu";
  std::int64_t threads = 0;
  std::int64_t batch = 4;
  bool force = false;
  bool resume = false;
};

// Declares the options; parsing fills `options`, which must outlive it.
void add_perplexity_options(CLI::App& command, PerplexityOptions& options);

}  // namespace simba::eval
