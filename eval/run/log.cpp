#include "eval/run/log.h"

#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

#include <algorithm>

namespace simba::eval {

void start_log() {
  // The program and its library share the log.
  if (spdlog::get("simba-eval") != nullptr) return;
  spdlog::set_default_logger(spdlog::stderr_color_mt("simba-eval"));
  spdlog::set_pattern("%n: %v");
}

void log_as_process(int rank) {
  if (rank == 0) return;
  spdlog::set_pattern("%n: process " + std::to_string(rank) + ": %v");
  spdlog::set_level(spdlog::level::warn);
}

void log_info(const std::string& message) { spdlog::info("{}", message); }

void log_warning(const std::string& message) { spdlog::warn("warning: {}", message); }

void log_error(const std::string& message) {
  std::string line = message;
  std::replace(line.begin(), line.end(), '\n', ' ');
  spdlog::error("error: {}", line);
}

}  // namespace simba::eval
