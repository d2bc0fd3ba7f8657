#include "csrc/checkpoint/gpt_neox_config.h"

#include <cmath>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>

#include "csrc/checkpoint/config_keys.h"
#include "csrc/checkpoint/json_file.h"
#include "csrc/checkpoint/quote.h"
#include "csrc/input_error.h"

namespace simba {
namespace {

using nlohmann::json;

// The model keeps a row of angles per position.
constexpr std::int64_t kMostPositions = std::int64_t{1} << 20;

// One number that may be spelled in several ways.
class Spellings {
 public:
  explicit Spellings(double otherwise) : value_(otherwise) {}

  void read(const ConfigKeys& keys, const char* key) {
    if (keys.find(key) == nullptr) return;
    const double value = keys.positive(key, 0);
    if (first_ != nullptr && value != value_) {
      keys.refuse(key, "what " + std::string(first_) + " says, " + json(value_).dump(),
                  *keys.find(key));
    }
    first_ = key;
    value_ = value;
  }
  double value() const { return value_; }

 private:
  double value_;
  const char* first_ = nullptr;
};

void read_rotary(const json& object, const std::string& path, GptNeoXConfig& config) {
  const ConfigKeys keys(object, path);
  Spellings base(10000);
  Spellings share(0.25);
  base.read(keys, "rotary_emb_base");
  base.read(keys, "rope_theta");
  share.read(keys, "rotary_pct");
  share.read(keys, "partial_rotary_factor");
  for (const char* name : {"rope_parameters", "rope_scaling"}) {
    const json* nested = keys.find(name);
    if (nested == nullptr || nested->is_null()) continue;
    if (!nested->is_object()) keys.refuse(name, "an object", *nested);
    const ConfigKeys inner(*nested, path + ": " + name);
    for (const char* key : {"rope_type", "type"}) {
      const std::string type = inner.text(key, "default");
      if (type != "default") inner.refuse(key, "\"default\" (positions as they are)", type);
    }
    base.read(inner, "rope_theta");
    share.read(inner, "partial_rotary_factor");
  }
  const double turned = std::floor(share.value() * static_cast<double>(config.d_head()));
  config.rotary_base = base.value();
  config.rotary_dim = share.value() <= 1 ? static_cast<std::int64_t>(turned) : 0;
  if (config.rotary_dim < 2 || config.rotary_dim % 2 != 0) {
    throw InputError(path +
                     ": rotary_pct: expected a share in (0, 1] that turns an even number of "
                     "each head's " +
                     std::to_string(config.d_head()) + " numbers, got " +
                     json(share.value()).dump());
  }
}

}  // namespace

GptNeoXConfig read_gpt_neox_config(const std::string& path) {
  const json object = read_json_object(path);
  const ConfigKeys keys(object, path);
  if (const std::string type = keys.text("model_type", "gpt_neox"); type != "gpt_neox") {
    keys.refuse("model_type", "\"gpt_neox\"", type);
  }
  GptNeoXConfig config;
  config.d_model = keys.size("hidden_size");
  config.n_layer = keys.layers("num_hidden_layers");
  config.n_head = keys.size("num_attention_heads");
  config.d_mlp = keys.size("intermediate_size");
  config.vocab_size = keys.size("vocab_size");
  config.max_length = keys.size("max_position_embeddings", 2048);
  config.norm_epsilon = keys.positive("layer_norm_eps", 1e-5);
  config.parallel_residual = keys.boolean("use_parallel_residual", true);
  config.attention_bias = keys.boolean("attention_bias", true);
  config.tie_embeddings = keys.boolean("tie_word_embeddings", false);
  if (config.d_model % config.n_head != 0) {
    keys.refuse("num_attention_heads", "a divisor of hidden_size " + std::to_string(config.d_model),
                *keys.find("num_attention_heads"));
  }
  if (config.max_length > kMostPositions) {
    keys.refuse("max_position_embeddings", "at most " + std::to_string(kMostPositions),
                *keys.find("max_position_embeddings"));
  }
  const std::string activation = keys.text("hidden_act", "gelu");
  config.gelu_tanh =
      activation == "gelu_new" || activation == "gelu_fast" || activation == "gelu_pytorch_tanh";
  if (activation != "gelu" && !config.gelu_tanh) {
    throw InputError(path + ": hidden_act: expected gelu, gelu_new, gelu_fast or " +
                     "gelu_pytorch_tanh, got " + quote(activation));
  }
  read_rotary(object, path, config);
  return config;
}

}  // namespace simba
