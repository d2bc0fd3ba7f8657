#include "eval/run/run_info.h"

#include <ATen/Parallel.h>
#include <ATen/Version.h>
#include <sys/utsname.h>

#include <ctime>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <thread>

#include "eval/run/versions.h"

namespace simba::eval {
namespace {

std::string utc(std::chrono::system_clock::time_point time) {
  const std::time_t seconds = std::chrono::system_clock::to_time_t(time);
  std::tm fields = {};
  gmtime_r(&seconds, &fields);
  char text[32];
  std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &fields);
  return text;
}

}  // namespace

nlohmann::ordered_json computed_by_json() {
  return {{"simba", simba_version()},
          {"torch", torch_version()},
          {"cpu_capability", at::get_cpu_capability()}};
}

nlohmann::ordered_json run_info_json(const RunInfo& info) {
  utsname host = {};
  uname(&host);
  const auto end = std::chrono::system_clock::now();
  return {{"start", utc(info.start)},
          {"end", utc(end)},
          {"seconds", std::chrono::duration<double>(end - info.start).count()},
          {"host",
           {{"name", host.nodename},
            {"system", std::string(host.sysname) + " " + host.release},
            {"machine", host.machine},
            {"processors", std::thread::hardware_concurrency()}}},
          {"versions", {{"simba", simba_version()}, {"torch", torch_version()}}},
          {"threads", at::get_num_threads()},
          {"batch", info.batch},
          {"processes", info.processes},
          {"device", info.device},
          {"paths",
           {{"working_directory", std::filesystem::current_path().string()},
            {"model", info.model},
            {"tokenizer", info.tokenizer},
            {"data", info.data}}},
          {"command_line", info.command_line}};
}

}  // namespace simba::eval
