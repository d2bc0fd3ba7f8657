#include "eval/run/process_place.h"

#include <ATen/Context.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <optional>
#include <string_view>

#include "csrc/input_error.h"

namespace simba::eval {
namespace {

// For a run that says no port: the range that no service is assigned to and no client draws from.
constexpr std::int64_t kFirstPort = 20000;
constexpr std::int64_t kPorts = 10000;

std::optional<std::string> text_of(const Environment& environment, const char* name) {
  const char* value = environment(name);
  return value == nullptr || *value == '\0' ? std::nullopt : std::optional<std::string>(value);
}

std::optional<std::int64_t> number_of(const Environment& environment, const char* name) {
  const std::optional<std::string> text = text_of(environment, name);
  if (!text) return std::nullopt;
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), value);
  if (error != std::errc() || end != text->data() + text->size() || value < 0) {
    throw InputError(std::string(name) + ": expected a number, got '" + *text + "'");
  }
  return value;
}

std::int64_t needed_number(const Environment& environment, const char* name, const char* beside) {
  const std::optional<std::int64_t> value = number_of(environment, name);
  if (!value) throw InputError(std::string(name) + ": expected, beside " + beside);
  return *value;
}

std::uint16_t port_of(std::int64_t port, const char* name) {
  if (port < 1 || port > 65535) {
    throw InputError(std::string(name) + ": expected a port, got " + std::to_string(port));
  }
  return static_cast<std::uint16_t>(port);
}

void set_ranks(ProcessPlace& place, std::int64_t rank, std::int64_t count, std::int64_t local) {
  if (count < 1 || rank >= count) {
    throw InputError("the environment's rank " + std::to_string(rank) +
                     ": expected one below the number of processes, " + std::to_string(count));
  }
  place.rank = static_cast<int>(rank);
  place.count = static_cast<int>(count);
  place.local_rank = static_cast<int>(local);
}

ProcessPlace torchrun_place(const Environment& environment) {
  ProcessPlace place;
  const std::int64_t rank = needed_number(environment, "RANK", "WORLD_SIZE");
  set_ranks(place, rank, needed_number(environment, "WORLD_SIZE", "RANK"),
            number_of(environment, "LOCAL_RANK").value_or(rank));
  if (place.count == 1) return place;
  const std::optional<std::string> host = text_of(environment, "MASTER_ADDR");
  if (!host) throw InputError("MASTER_ADDR: expected, beside RANK and WORLD_SIZE");
  place.host = *host;
  place.port = port_of(needed_number(environment, "MASTER_PORT", "RANK"), "MASTER_PORT");
  place.store_is_served = text_of(environment, "TORCHELASTIC_USE_AGENT_STORE") == "True";
  place.run = text_of(environment, "TORCHELASTIC_RUN_ID").value_or("") + "/" +
              text_of(environment, "TORCHELASTIC_RESTART_COUNT").value_or("");
  return place;
}

// "node[07-12,30],other" -> "node07"
std::string first_host(const std::string& list) {
  const std::size_t open = list.find_first_of("[,");
  if (open == std::string::npos || list[open] == ',') return list.substr(0, open);
  const std::size_t end = list.find_first_of("-,]", open);
  const std::size_t close = list.find(']', open);
  if (end == std::string::npos || close == std::string::npos) {
    throw InputError("SLURM_STEP_NODELIST: expected a list of hosts, got '" + list + "'");
  }
  const std::size_t after = list.find(',', close);
  return list.substr(0, open) + list.substr(open + 1, end - open - 1) +
         list.substr(close + 1, after == std::string::npos ? after : after - close - 1);
}

std::string slurm_host(const Environment& environment) {
  if (const auto host = text_of(environment, "MASTER_ADDR")) return *host;
  for (const char* list : {"SLURM_STEP_NODELIST", "SLURM_JOB_NODELIST"}) {
    if (const auto hosts = text_of(environment, list)) return first_host(*hosts);
  }
  if (const auto address = text_of(environment, "SLURM_LAUNCH_NODE_IPADDR")) return *address;
  throw InputError("MASTER_ADDR: expected, beside SLURM_PROCID, where Slurm names no host");
}

std::uint16_t slurm_port(const Environment& environment) {
  if (const auto port = number_of(environment, "MASTER_PORT")) return port_of(*port, "MASTER_PORT");
  const std::int64_t job = needed_number(environment, "SLURM_JOB_ID", "SLURM_PROCID");
  const std::int64_t step = number_of(environment, "SLURM_STEP_ID").value_or(0);
  return static_cast<std::uint16_t>(kFirstPort + (job * 31 + step) % kPorts);
}

ProcessPlace slurm_place(const Environment& environment) {
  ProcessPlace place;
  const std::int64_t rank = needed_number(environment, "SLURM_PROCID", "SLURM_NTASKS");
  const char* tasks =
      text_of(environment, "SLURM_STEP_NUM_TASKS") ? "SLURM_STEP_NUM_TASKS" : "SLURM_NTASKS";
  set_ranks(place, rank, needed_number(environment, tasks, "SLURM_PROCID"),
            number_of(environment, "SLURM_LOCALID").value_or(rank));
  if (place.count == 1) return place;
  place.host = slurm_host(environment);
  place.port = slurm_port(environment);
  return place;
}

}  // namespace

ProcessPlace find_process_place(const Environment& environment) {
  if (text_of(environment, "RANK") || text_of(environment, "WORLD_SIZE")) {
    return torchrun_place(environment);
  }
  const bool batch_script =
      text_of(environment, "SLURM_JOB_ID") && !text_of(environment, "SLURM_STEP_ID");
  if (text_of(environment, "SLURM_PROCID") && !batch_script) return slurm_place(environment);
  return {};
}

ProcessPlace find_process_place() {
  return find_process_place([](const char* name) -> const char* { return std::getenv(name); });
}

std::string local_device(const std::string& typed, const ProcessPlace& place) {
  if (typed != "cuda" || place.count == 1) return typed;
  const bool only_one = at::hasCUDA() && at::getNumGPUs() == 1;
  return "cuda:" + std::to_string(only_one ? 0 : place.local_rank);
}

}  // namespace simba::eval
