#include "eval/run/model_files.h"

#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>

#include "csrc/checkpoint/weight_files.h"
#include "csrc/input_error.h"
#include "csrc/tokenizer/tokenizer.h"
#include "eval/text/file_name.h"
#include "eval/text/read_file.h"
#include "eval/text/sha256.h"

namespace simba::eval {

namespace fs = std::filesystem;

FileHash hash_file(const std::string& path) { return {file_name(path), sha256_file(path)}; }

std::vector<FileHash> hash_weights(const std::string& model_dir) {
  const fs::path weights = find_weights(model_dir);
  std::vector<FileHash> files = {hash_file(weights.string())};
  if (weights.extension() != ".json") return files;
  std::set<std::string> shards;
  const nlohmann::json index = nlohmann::json::parse(read_file(weights.string()));
  for (const auto& [tensor, shard] : index.at("weight_map").items()) {
    shards.insert(shard.get<std::string>());
  }
  for (const std::string& shard : shards) {
    files.push_back(hash_file((weights.parent_path() / shard).string()));
  }
  return files;
}

std::string tokenizer_path(const std::string& option, const std::string& model_dir) {
  if (!option.empty()) return option;
  const std::optional<std::string> beside = find_tokenizer(model_dir);
  if (beside) return *beside;
  throw InputError("--tokenizer: expected a file, and there is none beside the weights in " +
                   model_dir);
}

}  // namespace simba::eval
