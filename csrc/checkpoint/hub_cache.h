// Models named by their id on the Hugging Face hub, found in the cache that its tools keep on disk:
// models--ORG--NAME/refs/main holds a commit, models--ORG--NAME/snapshots/COMMIT the files.
#pragma once

#include <string>

namespace simba {

// The folder itself where `folder_or_id` is one; else the snapshot of that id in the cache: that of
// refs/main, or without it the only one there is. The cache is $HF_HUB_CACHE,
// $HUGGINGFACE_HUB_CACHE, $HF_HOME/hub, $XDG_CACHE_HOME/huggingface/hub or
// ~/.cache/huggingface/hub: the first whose variable is set. Nothing is downloaded. Throws
// InputError that names where it looked.
std::string find_model_dir(const std::string& folder_or_id);

}  // namespace simba
