// The end of a run: its files.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "eval/run/journal.h"
#include "eval/run/output_folder.h"

namespace simba::eval {

// Writes run.json, then results.json (where there is one, the run was finished), and notes it in
// the journal. Where that run was finished before, says so and leaves the files as they are.
void finish_run(const OutputFolder& out, Journal& journal, const nlohmann::ordered_json& run,
                const nlohmann::ordered_json& results);

}  // namespace simba::eval
