// The command line of `simba-eval sweep`.
#pragma once

#include <cstdint>
#include <string>

namespace CLI {
class App;
}

namespace simba::eval {

// As typed.
struct SweepOptions {
  std::string config, data, models, tokenizer, configs, out;
  std::int64_t limit = 0;  // 0: all
  std::string dtype = "float32";
  std::string device = "cpu";
  std::int64_t threads = 0;
  std::int64_t batch_tokens = 4096;
  std::int64_t batch = 4;
  bool dry_run = false;
  bool force = false;
  bool resume = false;
};

// Declares the options; parsing fills `options`, which must outlive it.
void add_sweep_options(CLI::App& command, SweepOptions& options);

}  // namespace simba::eval
