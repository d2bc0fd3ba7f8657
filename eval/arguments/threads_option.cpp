#include "eval/arguments/threads_option.h"

#include <CLI/CLI.hpp>

namespace simba::eval {

void add_threads_option(CLI::App& command, std::int64_t& threads) {
  constexpr std::int64_t kMost = 4096;  // OpenMP ends the program where it cannot start them
  command
      .add_option("--threads", threads,
                  "CPU threads (default: one per core, shared among the processes of a host)")
      ->check(CLI::Range(std::int64_t{1}, kMost));
}

}  // namespace simba::eval
