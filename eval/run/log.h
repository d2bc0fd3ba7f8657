// Messages for people, on stderr. spdlog stays behind this header: it is compiled apart from
// LibTorch, whose own copy of fmt would hide the one that spdlog needs.
#pragma once

#include <string>

namespace simba::eval {

// Call once, before the others.
void start_log();
// One of several processes: all but the first (0) keep their infos to themselves, and put their
// number before the rest.
void log_as_process(int rank);
void log_info(const std::string& message);
void log_warning(const std::string& message);
// The end of a run, on one line whatever the message holds.
void log_error(const std::string& message);

}  // namespace simba::eval
