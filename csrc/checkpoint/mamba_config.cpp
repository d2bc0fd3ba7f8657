#include "csrc/checkpoint/mamba_config.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string_view>

#include "csrc/checkpoint/config_keys.h"
#include "csrc/checkpoint/json_file.h"
#include "csrc/checkpoint/quote.h"
#include "csrc/input_error.h"

namespace simba {
namespace {

using nlohmann::json;

// "auto": ceil(d_model / 16), the rule of both layouts.
std::int64_t read_dt_rank(const ConfigKeys& keys, const char* key, std::int64_t d_model) {
  const json* value = keys.find(key);
  if (value == nullptr || *value == "auto") return (d_model + 15) / 16;
  if (!value->is_number_integer()) keys.refuse(key, "an integer or \"auto\"", *value);
  return keys.size(key);
}

// The integer part of expand * d_model.
std::int64_t read_d_inner(const ConfigKeys& keys, std::int64_t d_model) {
  const double inner = std::floor(keys.positive("expand", 2) * static_cast<double>(d_model));
  if (!(inner >= 1 && inner <= static_cast<double>(ConfigKeys::kLargestSize))) {
    keys.refuse(
        "expand",
        "a factor that gives 1 to " + std::to_string(ConfigKeys::kLargestSize) + " channels",
        *keys.find("expand"));
  }
  return static_cast<std::int64_t>(inner);
}

// Arguments of the state-spaces package's Mamba block. Those that only shape the initial values or
// choose a code path are accepted and not read.
void read_ssm_cfg(const json& ssm_cfg, const std::string& where, CheckpointConfig& config) {
  constexpr std::array<std::string_view, 14> kKnown = {
      "d_state", "d_conv", "expand",        "dt_rank", "conv_bias", "bias",          "layer",
      "dt_min",  "dt_max", "dt_init_floor", "dt_init", "dt_scale",  "use_fast_path", "layer_idx"};
  const ConfigKeys keys(ssm_cfg, where);
  // First: a Mamba-2 configuration also has keys that Mamba-1 lacks.
  if (const std::string layer = keys.text("layer", "Mamba1"); layer != "Mamba1") {
    throw InputError(where + ": layer: expected \"Mamba1\", got " + quote(layer));
  }
  for (const auto& item : ssm_cfg.items()) {
    if (std::find(kKnown.begin(), kKnown.end(), item.key()) == kKnown.end()) {
      throw InputError(where + ": unknown key " + quote(item.key()));
    }
  }
  MambaConfig& model = config.model;
  model.d_state = keys.size("d_state", 16);
  model.d_conv = keys.size("d_conv", 4);
  model.d_inner = read_d_inner(keys, model.d_model);
  model.dt_rank = read_dt_rank(keys, "dt_rank", model.d_model);
  model.conv_bias = keys.boolean("conv_bias", true);
  model.projection_bias = keys.boolean("bias", false);
}

CheckpointConfig read_state_spaces(const json& object, const std::string& path) {
  const ConfigKeys keys(object, path);
  CheckpointConfig config;
  config.layout = Layout::kStateSpaces;
  MambaConfig& model = config.model;
  model.d_model = keys.size("d_model");
  model.n_layer = keys.layers("n_layer");
  const std::int64_t multiple = keys.size("pad_vocab_size_multiple", 8);
  model.vocab_size = (keys.size("vocab_size") + multiple - 1) / multiple * multiple;
  model.rms_norm = keys.boolean("rms_norm", true);
  model.residual_in_fp32 = keys.boolean("residual_in_fp32", true);
  model.tie_embeddings = keys.boolean("tie_embeddings", true);

  const json* mlp = keys.find("d_intermediate");
  if (mlp != nullptr && *mlp != 0) keys.refuse("d_intermediate", "0 (no MLP layers)", *mlp);
  const json* attention = keys.find("attn_layer_idx");
  if (attention != nullptr && !attention->is_null() && *attention != json::array()) {
    keys.refuse("attn_layer_idx", "an empty list (no attention layers)", *attention);
  }
  const json* ssm_cfg = keys.find("ssm_cfg");
  if (ssm_cfg != nullptr && !ssm_cfg->is_null() && !ssm_cfg->is_object()) {
    keys.refuse("ssm_cfg", "an object", *ssm_cfg);
  }
  const bool given = ssm_cfg != nullptr && ssm_cfg->is_object();
  read_ssm_cfg(given ? *ssm_cfg : json::object(), path + ": ssm_cfg", config);
  return config;
}

CheckpointConfig read_hugging_face(const json& object, const std::string& path) {
  const ConfigKeys keys(object, path);
  if (const std::string type = keys.text("model_type", "mamba"); type != "mamba") {
    throw InputError(path + ": model_type: expected \"mamba\", got " + quote(type));
  }
  const std::string activation = keys.text("hidden_act", "silu");
  if (activation != "silu" && activation != "swish") {
    throw InputError(path + ": hidden_act: expected \"silu\", got " + quote(activation));
  }
  CheckpointConfig config;
  config.layout = Layout::kHuggingFace;
  MambaConfig& model = config.model;
  model.d_model = keys.size("hidden_size");
  model.n_layer = keys.layers("num_hidden_layers");
  model.vocab_size = keys.size("vocab_size");
  model.d_state = keys.size("state_size", 16);
  model.d_conv = keys.size("conv_kernel", 4);
  // intermediate_size wins over expand, as it does in MambaConfig.
  const bool inner_given = keys.find("intermediate_size") != nullptr;
  model.d_inner = inner_given ? keys.size("intermediate_size") : read_d_inner(keys, model.d_model);
  model.dt_rank = read_dt_rank(keys, "time_step_rank", model.d_model);
  model.norm_epsilon = keys.positive("layer_norm_epsilon", 1e-5);
  model.residual_in_fp32 = keys.boolean("residual_in_fp32", true);
  model.tie_embeddings = keys.boolean("tie_word_embeddings", true);
  model.conv_bias = keys.boolean("use_conv_bias", true);
  model.projection_bias = keys.boolean("use_bias", false);
  return config;
}

}  // namespace

const char* layout_name(Layout layout) {
  return layout == Layout::kHuggingFace ? "huggingface" : "state-spaces";
}

CheckpointConfig read_mamba_config(const std::string& path) {
  const json object = read_json_object(path);
  // Converted checkpoints keep d_model and n_layer beside Hugging Face's names.
  if (object.contains("hidden_size")) return read_hugging_face(object, path);
  if (object.contains("d_model")) return read_state_spaces(object, path);
  const ConfigKeys keys(object, path);
  const std::string type = keys.text("model_type", "");
  throw InputError(path +
                   ": expected d_model (state-spaces layout) or hidden_size (Hugging Face layout)" +
                   (type.empty() ? "" : ", got model_type " + quote(type)));
}

}  // namespace simba
