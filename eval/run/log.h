// Messages for people, on stderr. spdlog stays behind this header: it is compiled apart from
// LibTorch, whose own copy of fmt would hide the one that spdlog needs.
#pragma once

#include <string>

namespace simba::eval {

// Call once, before the others.
void start_log();
void log_info(const std::string& message);
void log_warning(const std::string& message);

}  // namespace simba::eval
