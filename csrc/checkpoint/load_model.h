// From a folder on disk to a model ready to run.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "csrc/model/gpt_neox/config.h"
#include "csrc/model/gpt_neox/weights.h"
#include "csrc/model/language_model.h"
#include "csrc/model/mamba_config.h"
#include "csrc/model/mamba_weights.h"

namespace simba {

struct MambaCheckpoint {
  MambaConfig config;
  MambaWeights weights;
  std::string layout;        // "state-spaces" | "huggingface"
  std::string weights_file;  // path of the file, or of the index of a sharded checkpoint
};

// Reads config.json and the weights of a Mamba-1 checkpoint folder. dtype: the type of the matrices
// (nullopt: as stored); vectors and A are float32, or float64 with dtype kDouble. Throws
// InputError.
MambaCheckpoint load_mamba(const std::string& dir, std::optional<at::ScalarType> dtype,
                           at::Device device);

struct GptNeoXCheckpoint {
  GptNeoXConfig config;
  GptNeoXWeights weights;
  std::string weights_file;  // as in MambaCheckpoint
};

// Reads config.json and the weights of a GPT-NeoX checkpoint folder of Hugging Face's. dtype: the
// type of the matrices and their biases (nullopt: as stored); norms are float32, or float64 with
// dtype kDouble. Throws InputError.
GptNeoXCheckpoint load_gpt_neox(const std::string& dir, std::optional<at::ScalarType> dtype,
                                at::Device device);

// The model of a checkpoint folder, whatever its family. Throws InputError.
std::unique_ptr<LanguageModel> load_model(const std::string& dir,
                                          std::optional<at::ScalarType> dtype, at::Device device);

}  // namespace simba
