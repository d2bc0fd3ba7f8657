// A run is a list of units of work. Each is computed from the run's settings and its number alone
// and gives one JSON record. Whatever is printed or written afterwards comes from the records, so
// that a run that was cut off and resumed, or shared among processes, gives the same bytes.
#pragma once

#include <cstddef>
#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

namespace simba::eval {

class Journal;
class Processes;

// To be called by a unit before each of its steps: draws the progress line and, where the unit's
// result would be lost anyway, throws Interrupted after Ctrl-C.
// done: share of the unit's work that lies behind, in [0, 1]. doing: what comes now.
using OnUnitStep = std::function<void(double done, const std::string& doing)>;

struct Units {
  std::size_t count;
  // Numbers that may not be finite go through exact_number.h.
  std::function<nlohmann::ordered_json(std::size_t unit, const OnUnitStep& on_step)> compute;
  std::function<std::string(std::size_t unit)> describe;  // for errors: "windows 5 to 8"
  std::function<double(std::size_t unit)> cost;           // FLOPs, for the progress line
};

// One record per unit, in unit order. Those that the journal holds are not computed again; the
// others are shared out among the processes, and the first process appends them to the journal as
// they finish. The other processes get no records back: they print and write nothing.
//
// Call it once per run, on every process. journal: on the first process, or null where nothing is
// kept. Throws Interrupted after Ctrl-C, once the unit under way is finished and kept (without a
// journal, at its next step).
std::vector<nlohmann::ordered_json> run_units(const Units& units, Journal* journal,
                                              Processes& processes);

}  // namespace simba::eval
