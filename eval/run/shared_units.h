// The units of a run, shared out among its processes: each takes the next one off a common queue
// whenever it is free, and sends the record to the first process.
#pragma once

#include <cstddef>
#include <functional>
#include <nlohmann/json_fwd.hpp>

#include "eval/run/processes.h"
#include "eval/run/unit_records.h"

namespace simba::eval {

// To be called by all processes. records: what is missing in it is computed, and comes in there, on
// the first process. Returns, to every process, whether all units have a record now: if not,
// somebody was interrupted. Throws what `compute` or keeping a record throws.
bool share_units(Processes& processes, UnitRecords& records,
                 const std::function<nlohmann::ordered_json(std::size_t unit)>& compute);

}  // namespace simba::eval
