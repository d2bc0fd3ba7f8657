// The processes of one run: where they meet, what tells them that one of them was lost.
//
//   const ProcessPlace place = find_process_place();
//   Processes processes(place);                          // early: before a model is loaded
//   processes.choose_threads(options.threads);
//   ... settings ...
//   processes.agree(settings);
//   std::optional<Journal> journal;                      // on the first process, with --out
//   if (out) journal.emplace(*out, settings, units.count);
//   records = run_units(units, journal ? &*journal : nullptr, processes);
//   if (!processes.is_first()) return;                   // prints and writes nothing
#pragma once

#include <cstdint>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "eval/run/process_place.h"

namespace simba::eval {

class Heartbeat;
class SharedStore;

class Processes {
 public:
  // Meets the others, for which it waits two minutes; from then on a lost process ends this one
  // within a minute, with an error and exit code 1 (heartbeat.h). Throws std::runtime_error where
  // they cannot meet.
  explicit Processes(const ProcessPlace& place);
  // Without leave() before it, tells the others that this process has given up.
  ~Processes();
  Processes(const Processes&) = delete;
  Processes& operator=(const Processes&) = delete;

  int rank() const { return place_.rank; }
  int count() const { return place_.count; }
  bool is_first() const { return place_.rank == 0; }
  bool is_alone() const { return place_.count == 1; }

  // Sets the number of CPU threads: `requested`, or where that is 0 and processes share a host, an
  // equal share of its cores (OMP_NUM_THREADS, where set, is left as it is). Says what it chose.
  void choose_threads(std::int64_t requested) const;

  // Throws InputError, naming the difference, where the first process has other settings.
  void agree(const nlohmann::ordered_json& settings);

  // Where the processes exchange records, by two connections: one for each thread that may wait.
  // Not to be called where there is one process.
  SharedStore& store() { return *store_; }
  SharedStore& second_store() { return *second_store_; }

  // The orderly end: returns once every process has come here.
  void leave();

 private:
  ProcessPlace place_;
  std::string name_;  // for messages
  int on_this_host_ = 1;
  bool left_ = false;
  std::unique_ptr<SharedStore> store_;
  std::unique_ptr<SharedStore> second_store_;
  std::unique_ptr<Heartbeat> heartbeat_;
};

}  // namespace simba::eval
