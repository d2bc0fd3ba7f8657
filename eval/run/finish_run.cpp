#include "eval/run/finish_run.h"

#include <filesystem>
#include <nlohmann/json.hpp>

#include "eval/run/log.h"
#include "eval/text/json_text.h"
#include "eval/text/sha256.h"

namespace simba::eval {

void finish_run(const OutputFolder& out, Journal& journal, const nlohmann::ordered_json& run,
                const nlohmann::ordered_json& results) {
  const std::string text = json_text(results);
  const std::string hash = sha256(text);
  const std::string path = out.path("results.json");
  if (journal.finished() == hash && std::filesystem::exists(path) && sha256_file(path) == hash) {
    log_info(path + " is there already, from when this run was finished; nothing is written");
    return;
  }
  out.write("run.json", json_text(run));
  out.write("results.json", text);
  journal.finish(hash);
}

}  // namespace simba::eval
