#include "csrc/checkpoint/hub_cache.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string_view>
#include <system_error>
#include <vector>

#include "csrc/checkpoint/quote.h"
#include "csrc/input_error.h"

namespace simba {
namespace {

namespace fs = std::filesystem;

bool is_folder(const fs::path& path) {
  std::error_code ignored;
  return fs::is_directory(path, ignored);
}

// One part of an id, or a commit: never a path.
bool is_name(std::string_view text) {
  const auto allowed = [](unsigned char c) {
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '-' ||
           c == '_' || c == '.';
  };
  return !text.empty() && text.size() <= 96 && text.front() != '.' && text.front() != '-' &&
         text.find("--") == std::string_view::npos && text.find("..") == std::string_view::npos &&
         std::all_of(text.begin(), text.end(), allowed);
}

bool is_hub_id(std::string_view text) {
  const std::size_t slash = text.find('/');
  if (slash == std::string_view::npos) return is_name(text);
  return is_name(text.substr(0, slash)) && is_name(text.substr(slash + 1));
}

fs::path cache_folder() {
  const auto variable = [](const char* name) {
    const char* value = std::getenv(name);
    return fs::path(value == nullptr ? "" : value);
  };
  for (const char* name : {"HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"}) {
    if (const fs::path path = variable(name); !path.empty()) return path;
  }
  if (const fs::path home = variable("HF_HOME"); !home.empty()) return home / "hub";
  if (const fs::path cache = variable("XDG_CACHE_HOME"); !cache.empty()) {
    return cache / "huggingface" / "hub";
  }
  return variable("HOME") / ".cache" / "huggingface" / "hub";
}

std::string folder_name(std::string_view id) {
  std::string name = "models--";
  for (const char c : id) name += c == '/' ? std::string("--") : std::string(1, c);
  return name;
}

fs::path find_snapshot(const fs::path& model) {
  if (std::ifstream ref(model / "refs" / "main"); ref) {
    std::string commit;
    ref >> commit;
    const fs::path snapshot = model / "snapshots" / commit;
    if (!is_name(commit) || !is_folder(snapshot)) {
      throw InputError((model / "refs" / "main").string() +
                       ": names no snapshot in the cache: " + quote(commit));
    }
    return snapshot;
  }
  std::vector<fs::path> snapshots;
  std::error_code ignored;
  for (const auto& item : fs::directory_iterator(model / "snapshots", ignored)) {
    if (is_folder(item.path())) snapshots.push_back(item.path());
  }
  if (snapshots.size() != 1) {
    throw InputError(model.string() + ": no refs/main, and " + std::to_string(snapshots.size()) +
                     " snapshots, expected one");
  }
  return snapshots[0];
}

}  // namespace

std::string find_model_dir(const std::string& folder_or_id) {
  if (is_folder(folder_or_id)) return folder_or_id;
  std::error_code ignored;
  if (fs::exists(folder_or_id, ignored)) {
    throw InputError(folder_or_id + ": expected a checkpoint folder, got a file");
  }
  if (!is_hub_id(folder_or_id)) throw InputError(folder_or_id + ": no such folder");
  const fs::path model = cache_folder() / folder_name(folder_or_id);
  if (!is_folder(model)) {
    throw InputError(folder_or_id +
                     ": no such folder, and no such model in the Hugging Face cache: " +
                     model.string() + " does not exist");
  }
  return find_snapshot(model).string();
}

}  // namespace simba
