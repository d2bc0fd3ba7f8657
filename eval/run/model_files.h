// The files that a model consists of, by content.
#pragma once

#include <string>
#include <vector>

namespace simba::eval {

struct FileHash {
  std::string name;  // without its folder
  std::string sha256;
};

FileHash hash_file(const std::string& path);

// The weights that a checkpoint folder is loaded from: one file, or an index and its shards in name
// order. Throws InputError.
std::vector<FileHash> hash_weights(const std::string& model_dir);

// The value of --tokenizer or, where that is empty, the tokenizer beside the weights. Throws
// InputError where there is none.
std::string tokenizer_path(const std::string& option, const std::string& model_dir);

}  // namespace simba::eval
