#include "csrc/checkpoint/weight_files.h"

#include <array>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <string_view>
#include <system_error>
#include <utility>

#include "csrc/checkpoint/json_file.h"
#include "csrc/checkpoint/mapped_file.h"
#include "csrc/checkpoint/quote.h"
#include "csrc/checkpoint/safetensors.h"
#include "csrc/checkpoint/torch_archive.h"
#include "csrc/input_error.h"

namespace simba {
namespace {

namespace fs = std::filesystem;

constexpr std::array<std::string_view, 4> kCandidates = {
    "model.safetensors", "model.safetensors.index.json", "pytorch_model.bin",
    "pytorch_model.bin.index.json"};
constexpr std::string_view kIndexEnding = ".index.json";

NamedTensors read_one(const std::string& path) {
  // What a clone without git-lfs leaves in place of a large file.
  if (MappedFile::open(path)->bytes().starts_with("version https://git-lfs")) {
    throw InputError(path + ": a Git LFS pointer, not the file itself; run 'git lfs pull' there");
  }
  return path.ends_with(".safetensors") ? read_safetensors(path) : read_torch_archive(path);
}

// Shard -> the tensors that it holds.
std::map<std::string, std::vector<std::string>> read_index(const std::string& path) {
  const nlohmann::json index = read_json_object(path);
  const auto weight_map = index.find("weight_map");
  if (weight_map == index.end() || !weight_map->is_object() || weight_map->empty()) {
    throw InputError(path + ": weight_map: expected an object of tensor names and files");
  }
  const std::string_view ending =
      path.ends_with(".safetensors.index.json") ? ".safetensors" : ".bin";
  std::map<std::string, std::vector<std::string>> shards;
  for (const auto& [tensor, file] : weight_map->items()) {
    if (!file.is_string()) {
      throw InputError(path + ": weight_map: " + quote(tensor) + ": expected a file name, got " +
                       file.type_name());
    }
    const auto& name = file.get_ref<const std::string&>();
    if (name.find_first_of("/\\") != std::string::npos || name.size() <= ending.size() ||
        !name.ends_with(ending) || name.starts_with('.')) {
      throw InputError(path + ": weight_map: expected the name of a " + std::string(ending) +
                       " file beside the index, got " + quote(name));
    }
    shards[name].push_back(tensor);
  }
  return shards;
}

}  // namespace

std::string find_weights(const std::string& dir) {
  std::string tried;
  for (const std::string_view name : kCandidates) {
    const fs::path path = fs::path(dir) / name;
    std::error_code ignored;
    if (fs::exists(path, ignored)) return path.string();
    tried += (tried.empty() ? "" : ", ") + std::string(name);
  }
  throw InputError(dir + ": no weights; looked for " + tried);
}

NamedTensors read_weights(const std::string& path) {
  if (!path.ends_with(kIndexEnding)) return read_one(path);
  NamedTensors all;
  for (const auto& [shard, names] : read_index(path)) {
    const std::string shard_path = (fs::path(path).parent_path() / shard).string();
    std::error_code ignored;
    if (!fs::exists(shard_path, ignored)) {
      throw InputError(path + ": shard " + quote(shard) + " is missing beside it");
    }
    NamedTensors tensors = read_one(shard_path);
    for (const std::string& name : names) {
      const auto found = tensors.find(name);
      if (found == tensors.end()) {
        throw InputError(shard_path + ": no tensor " + quote(name) + ", which " + path +
                         " places there");
      }
      all.insert(tensors.extract(found));
    }
  }
  return all;
}

}  // namespace simba
