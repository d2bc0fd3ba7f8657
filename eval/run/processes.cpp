#include "eval/run/processes.h"

#include <ATen/Parallel.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <thread>
#include <utility>
#include <vector>

#include "csrc/input_error.h"
#include "eval/run/heartbeat.h"
#include "eval/run/json_difference.h"
#include "eval/run/log.h"
#include "eval/run/progress.h"
#include "eval/run/shared_store.h"
#include "eval/text/sha256.h"

namespace simba::eval {
namespace {

using Json = nlohmann::ordered_json;

// Processes are started together, but the first start of a program from a network file system takes
// its time.
constexpr std::chrono::milliseconds kRendezvousLimit = std::chrono::minutes(2);
// For the last words of processes that have nothing left to do.
constexpr std::chrono::milliseconds kFarewellLimit = std::chrono::seconds(5);

std::string host_name() {
  char name[256] = {};
  ::gethostname(name, sizeof name - 1);
  return name;
}

std::string host_key(int rank) { return "host/" + std::to_string(rank); }

std::string process_name(int rank, int count, const std::string& host) {
  return "process " + std::to_string(rank) + " of " + std::to_string(count) + " (on " + host + ")";
}

// Nothing can be waited for any more, the unit under way least of all. The journal is whole at
// every moment.
[[noreturn]] void end_at_once(const std::string& message) {
  clear_progress();
  log_error(message + "; what was finished is in the journal, if there is one: --resume goes on");
  std::_Exit(EXIT_FAILURE);
}

// The hosts of all processes, by rank.
std::vector<std::string> meet(SharedStore& store, const ProcessPlace& place) {
  store.write(host_key(place.rank), host_name());
  store.wait_at_most(kRendezvousLimit);
  std::vector<std::string> hosts;
  for (int rank = 0; rank < place.count; ++rank) {
    try {
      hosts.push_back(store.read(host_key(rank)));
    } catch (const std::exception& error) {
      throw std::runtime_error("process " + std::to_string(rank) + " of " +
                               std::to_string(place.count) + " has not come to " + place.host +
                               ":" + std::to_string(place.port) + ": " + error.what());
    }
  }
  store.wait_at_most(std::chrono::hours(24));
  return hosts;
}

std::unique_ptr<SharedStore> connect(const ProcessPlace& place) {
  try {
    return std::make_unique<SharedStore>(place, kRendezvousLimit);
  } catch (const std::exception& error) {
    throw std::runtime_error("the " + std::to_string(place.count) +
                             " processes of the run cannot meet at " + place.host + ":" +
                             std::to_string(place.port) + ": " + error.what());
  }
}

}  // namespace

Processes::Processes(const ProcessPlace& place) : place_(place) {
  if (is_alone()) return;
  log_as_process(place.rank);
  const HeartbeatPace pace = find_heartbeat_pace();
  store_ = connect(place);
  // All connections before anybody waits for a sign of life: to a new one the store may answer
  // late, when it cannot find the name that belongs to its address.
  second_store_ = store_->another_connection();
  auto pulse = store_->another_connection();
  auto last_words = store_->another_connection();
  const std::vector<std::string> hosts = meet(*store_, place);
  std::vector<std::string> names;
  for (int rank = 0; rank < place.count; ++rank) {
    names.push_back(process_name(rank, place.count, hosts[static_cast<std::size_t>(rank)]));
  }
  name_ = names[static_cast<std::size_t>(place.rank)];
  on_this_host_ = static_cast<int>(std::count(hosts.begin(), hosts.end(), host_name()));
  heartbeat_ = std::make_unique<Heartbeat>(std::move(pulse), std::move(last_words), place.rank,
                                           std::move(names), pace, end_at_once);
}

Processes::~Processes() {
  if (is_alone() || left_) return;
  try {
    heartbeat_->give_up(name_ + " stopped before the end; its own message says why");
    // The store may end with this process: the others need time to read this.
    if (is_first()) std::this_thread::sleep_for(2 * find_heartbeat_pace().period);
  } catch (const std::exception&) {
    // The others notice by themselves.
  }
}

void Processes::choose_threads(std::int64_t requested) const {
  const auto cores = static_cast<int>(std::max(1U, std::thread::hardware_concurrency()));
  if (requested > 0) {
    at::set_num_threads(static_cast<int>(requested));
    if (on_this_host_ > 1 && requested * on_this_host_ > cores) {
      log_warning(std::to_string(on_this_host_) + " processes of --threads " +
                  std::to_string(requested) + " share the " + std::to_string(cores) +
                  " cores of this host");
    }
    return;
  }
  if (on_this_host_ == 1) return;
  const bool from_environment = std::getenv("OMP_NUM_THREADS") != nullptr;
  if (!from_environment) at::set_num_threads(std::max(1, cores / on_this_host_));
  log_info(std::to_string(on_this_host_) + " processes share the " + std::to_string(cores) +
           " cores of this host: CPU threads of each: " + std::to_string(at::get_num_threads()) +
           (from_environment ? " (OMP_NUM_THREADS" : " (an equal share") +
           "; --threads says otherwise)");
}

void Processes::agree(const Json& settings) {
  if (is_alone()) return;
  const std::string text = settings.dump();
  if (is_first()) {
    store_->write("settings", text);
    store_->write("settings/sha256", sha256(text));
    return;
  }
  if (store_->read("settings/sha256") == sha256(text)) return;
  const Json first = Json::parse(store_->read("settings"));
  throw InputError(name_ + " has other settings than process 0, which are named first: " +
                   json_difference(first, settings));
}

void Processes::leave() {
  left_ = true;
  if (is_alone()) return;
  if (store_->add("leaving", 1) == count()) store_->write("all leave", "");
  store_->read("all leave");
  heartbeat_.reset();
  if (!is_first()) {
    store_->push("gone", name_);
    return;
  }
  // Who serves the store goes last.
  store_->wait_at_most(kFarewellLimit);
  try {
    for (int others = 1; others < count(); ++others) store_->pop("gone");
  } catch (const std::exception&) {
    // Their work is done, whatever became of them.
  }
}

}  // namespace simba::eval
