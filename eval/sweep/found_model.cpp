#include "eval/sweep/found_model.h"

#include <filesystem>

#include "csrc/checkpoint/hub_cache.h"
#include "csrc/checkpoint/load_model.h"
#include "csrc/checkpoint/load_shape.h"
#include "csrc/input_error.h"
#include "csrc/tokenizer/tokenizer.h"
#include "eval/sweep/in_file.h"

namespace simba::eval {
namespace {

namespace fs = std::filesystem;

std::string blame(const SweepModel& model) { return model.where + ": model " + model.name; }

std::string find_folder(const SweepModel& model, const ModelPlaces& places) {
  std::error_code ignored;
  const fs::path beside = fs::path(places.models) / model.name;
  if (!places.models.empty() && fs::is_directory(beside, ignored)) return beside.string();
  const std::string not_beside =
      places.models.empty() ? "" : ": not in " + places.models + " (--models), and";
  return in_file(blame(model) + not_beside, [&] { return find_model_dir(model.checkpoint); });
}

std::string find_tokenizer_file(const std::string& folder, const ModelPlaces& places) {
  if (!folder.empty()) {
    if (const auto beside = find_tokenizer(folder)) return *beside;
  }
  return places.tokenizer;
}

}  // namespace

FoundModel find_model(const SweepModel& model, const ModelPlaces& places) {
  FoundModel found{model, find_folder(model, places), "", nullptr};
  found.shape = in_file(blame(model), [&] { return load_shape(found.folder); });
  found.tokenizer = find_tokenizer_file(found.folder, places);
  if (found.tokenizer.empty()) {
    throw InputError(blame(model) + ": no tokenizer beside the weights in " + found.folder +
                     "; --tokenizer FILE names one");
  }
  return found;
}

FoundModel find_model_shape(const SweepModel& model, const ModelPlaces& places) {
  FoundModel found{model, "", "", nullptr};
  try {
    found.folder = find_folder(model, places);
  } catch (const InputError& error) {
    const fs::path config = fs::path(places.configs) / "models" / model.shape / "config.json";
    std::error_code ignored;
    if (!fs::is_regular_file(config, ignored)) {
      throw InputError(std::string(error.what()) + "; nor is there its shape, " + config.string());
    }
    found.shape = in_file(blame(model), [&] { return load_shape(config.string()); });
  }
  if (!found.shape) found.shape = in_file(blame(model), [&] { return load_shape(found.folder); });
  found.tokenizer = find_tokenizer_file(found.folder, places);
  return found;
}

void check_weights(const FoundModel& model) {
  // As stored, matrices stay mapped: gigabytes of weights are not read.
  in_file(blame(model.model), [&] { return load_model(model.folder, std::nullopt, at::kCPU); });
}

}  // namespace simba::eval
