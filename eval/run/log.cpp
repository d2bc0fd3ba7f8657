#include "eval/run/log.h"

#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

namespace simba::eval {

void start_log() {
  spdlog::set_default_logger(spdlog::stderr_color_mt("simba-eval"));
  spdlog::set_pattern("%n: %v");
}

void log_info(const std::string& message) { spdlog::info("{}", message); }

void log_warning(const std::string& message) { spdlog::warn("warning: {}", message); }

}  // namespace simba::eval
