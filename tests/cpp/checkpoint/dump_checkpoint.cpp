// dump-checkpoint DIR DTYPE OUT: reads a checkpoint as simba does and writes what it found for the
// Python tests to compare: OUT/config.json, and OUT/NAME.bin with the bytes of each tensor. DTYPE:
// stored, float32, float64, bfloat16 or float16. Prints one line and exits with 2 on bad input, as
// every program here.
#include <cstdio>
#include <exception>
#include <fstream>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "csrc/checkpoint/load_model.h"
#include "csrc/input_error.h"
#include "tests/cpp/checkpoint/byte_writers.h"

namespace simba::test {
namespace {

std::optional<at::ScalarType> parse_dtype(const std::string& name) {
  if (name == "float32") return at::kFloat;
  if (name == "float64") return at::kDouble;
  if (name == "bfloat16") return at::kBFloat16;
  if (name == "float16") return at::kHalf;
  return std::nullopt;
}

void dump(const std::string& dir, const std::string& dtype, const std::string& out) {
  const MambaCheckpoint checkpoint = load_mamba(dir, parse_dtype(dtype), at::kCPU);
  const MambaConfig& config = checkpoint.config;
  nlohmann::json report = {{"d_model", config.d_model},
                           {"n_layer", config.n_layer},
                           {"vocab_size", config.vocab_size},
                           {"d_state", config.d_state},
                           {"d_conv", config.d_conv},
                           {"d_inner", config.d_inner},
                           {"dt_rank", config.dt_rank},
                           {"norm_epsilon", config.norm_epsilon},
                           {"rms_norm", config.rms_norm},
                           {"residual_in_fp32", config.residual_in_fp32},
                           {"tie_embeddings", config.tie_embeddings},
                           {"layout", checkpoint.layout},
                           {"weights_file", checkpoint.weights_file},
                           {"tensors", nlohmann::json::object()}};
  const auto write = [&](const std::string& name, const at::Tensor& tensor) {
    if (!tensor.defined()) return;
    const std::string bytes = bytes_of(tensor);
    std::ofstream(out + "/" + name + ".bin", std::ios::binary)
        .write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    report["tensors"][name] = {{"dtype", c10::toString(tensor.scalar_type())},
                               {"shape", tensor.sizes().vec()}};
  };
  const MambaWeights& weights = checkpoint.weights;
  write("embedding", weights.embedding);
  write("final_norm_weight", weights.final_norm_weight);
  write("final_norm_bias", weights.final_norm_bias);
  write("lm_head", weights.lm_head);
  for (std::size_t i = 0; i < weights.layers.size(); ++i) {
    const MambaLayerWeights& layer = weights.layers[i];
    const std::string prefix = "layers." + std::to_string(i) + ".";
    write(prefix + "norm_weight", layer.norm_weight);
    write(prefix + "norm_bias", layer.norm_bias);
    write(prefix + "in_proj", layer.in_proj);
    write(prefix + "in_proj_bias", layer.in_proj_bias);
    write(prefix + "conv_weight", layer.conv_weight);
    write(prefix + "conv_bias", layer.conv_bias);
    write(prefix + "x_proj", layer.x_proj);
    write(prefix + "dt_proj", layer.dt_proj);
    write(prefix + "dt_bias", layer.dt_bias);
    write(prefix + "A", layer.A);
    write(prefix + "D", layer.D);
    write(prefix + "out_proj", layer.out_proj);
    write(prefix + "out_proj_bias", layer.out_proj_bias);
  }
  std::ofstream(out + "/config.json") << report.dump(1);
}

}  // namespace
}  // namespace simba::test

int main(int argc, char** argv) {
  if (argc != 4) {
    std::fprintf(stderr,
                 "usage: dump-checkpoint DIR stored|float32|float64|bfloat16|float16 OUT\n");
    return 2;
  }
  try {
    simba::test::dump(argv[1], argv[2], argv[3]);
  } catch (const simba::InputError& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 2;
  }
  return 0;
}
