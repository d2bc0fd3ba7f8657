// run.json: how and where a run was made. Everything that results.json leaves out because it may
// differ between two runs of equal results.
#pragma once

#include <chrono>
#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>

namespace simba::eval {

struct RunInfo {
  std::string command_line;
  std::string model;  // paths as given
  std::string tokenizer;
  std::string data;
  std::string device;
  std::int64_t batch = 1;
  std::int64_t processes = 1;
  std::chrono::system_clock::time_point start = std::chrono::system_clock::now();
};

// The versions and, for CPU arithmetic, the instruction set: equal ones give equal bytes. For the
// settings that a journal is bound to.
nlohmann::ordered_json computed_by_json();

// Taken at the end of the run: start, end and duration, host, versions, threads and the fields
// above.
nlohmann::ordered_json run_info_json(const RunInfo& info);

}  // namespace simba::eval
