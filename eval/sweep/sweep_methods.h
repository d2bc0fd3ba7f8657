// One [[methods]] of a sweep's file.
#pragma once

#include "eval/sweep/sweep_config.h"
#include "eval/text/toml_table.h"

namespace simba::eval {

// Reads everything but the names of models (`match`, `models`). Throws InputError naming the line
// on an unknown criterion, decay, reduction or schedule, a retention or a budget that is none, and
// where more than one of retention, budget and match is given, or none where one is needed.
SweepMethods read_methods(const TomlTable& table);

}  // namespace simba::eval
