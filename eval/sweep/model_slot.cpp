#include "eval/sweep/model_slot.h"

#include "csrc/checkpoint/load_model.h"

namespace simba::eval {

LanguageModel& ModelSlot::get(const std::string& folder) {
  if (model_ && folder == folder_) return *model_;
  model_.reset();
  model_ = load_model(folder, dtype_, device_);
  folder_ = folder;
  return *model_;
}

}  // namespace simba::eval
