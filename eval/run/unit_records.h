// The records of a run as they come in: those of the journal, those computed here, and those that
// other processes send. May be used by several threads.
#pragma once

#include <cstddef>
#include <map>
#include <mutex>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "eval/run/journal.h"
#include "eval/run/progress.h"
#include "eval/run/units.h"

namespace simba::eval {

class UnitRecords {
 public:
  // journal may be null. live: whether to draw a progress line, over what is still to do.
  UnitRecords(const Units& units, Journal* journal, bool live);

  // The units without a record, in order.
  std::vector<std::size_t> left() const;
  bool complete() const;

  // Journals the record. Throws std::runtime_error where that fails.
  void keep(std::size_t unit, const nlohmann::ordered_json& record);
  // Draws how far the unit is that this process computes.
  void show(std::size_t unit, double done, const std::string& doing);

  // "12 of 64 units are in .../journal.jsonl"; empty where nothing is kept.
  std::string kept() const;
  // By unit; takes them out of this object.
  std::vector<nlohmann::ordered_json> take();

 private:
  const Units& units_;
  Journal* journal_;
  mutable std::mutex mutex_;
  std::map<std::size_t, nlohmann::ordered_json> records_;
  Progress progress_;
  std::map<std::size_t, double> shown_;  // of the units under way here: the share already advanced
};

}  // namespace simba::eval
