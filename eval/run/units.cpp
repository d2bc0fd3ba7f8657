#include "eval/run/units.h"

#include <nlohmann/json.hpp>
#include <utility>

#include "eval/run/interrupt.h"
#include "eval/run/log.h"
#include "eval/run/processes.h"
#include "eval/run/progress.h"
#include "eval/run/shared_units.h"
#include "eval/run/unit_records.h"

namespace simba::eval {
namespace {

using Json = nlohmann::ordered_json;

// Computes one unit; after Ctrl-C it is finished where its record would be kept.
Json compute_unit(const Units& units, std::size_t unit, bool kept, UnitRecords& records) {
  bool said = false;
  return units.compute(unit, [&](double done, const std::string& doing) {
    if (!kept) check_interrupt();
    if (interrupt_requested() && !std::exchange(said, true)) {
      log_info("finishing " + units.describe(unit) + " first; Ctrl-C again ends at once");
    }
    records.show(unit, done, doing);
  });
}

void run_alone(const Units& units, bool kept, UnitRecords& records) {
  for (const std::size_t unit : records.left()) {
    if (interrupt_requested()) return;
    records.keep(unit, compute_unit(units, unit, kept, records));
  }
}

}  // namespace

std::vector<Json> run_units(const Units& units, Journal* journal, Processes& processes) {
  UnitRecords records(units, journal, processes.is_first() && stderr_is_terminal());
  bool complete = false;
  if (processes.is_alone()) {
    run_alone(units, journal != nullptr, records);
    complete = records.complete();
  } else {
    complete = share_units(processes, records, [&](std::size_t unit) {
      return compute_unit(units, unit, /*kept=*/true, records);
    });
  }
  processes.leave();
  if (!complete) throw Interrupted(records.kept());
  return processes.is_first() ? records.take() : std::vector<Json>();
}

}  // namespace simba::eval
