#include "csrc/checkpoint/gpt_neox_weight_names.h"

#include <cstdint>
#include <utility>

#include "csrc/checkpoint/unplaced_tensors.h"

namespace simba {
namespace {

// Norms are accumulated with ("acc" in gpt_neox/weights.h).
enum class Role { kMatrix, kBias, kAttentionBias, kNorm };

struct LayerRow {
  const char* name;  // after "gpt_neox.layers.N."
  at::Tensor GptNeoXLayerWeights::*member;
  Role role;
  Shape (*shape)(const GptNeoXConfig&);
};

using W = GptNeoXLayerWeights;
using C = const GptNeoXConfig&;

Shape model_vector(C c) { return {c.d_model}; }

const LayerRow kLayerTable[] = {
    {"input_layernorm.weight", &W::attention_norm_weight, Role::kNorm, model_vector},
    {"input_layernorm.bias", &W::attention_norm_bias, Role::kNorm, model_vector},
    {"attention.query_key_value.weight", &W::query_key_value, Role::kMatrix,
     [](C c) -> Shape {
       return {3 * c.d_model, c.d_model};
     }},
    {"attention.query_key_value.bias", &W::query_key_value_bias, Role::kAttentionBias,
     [](C c) -> Shape { return {3 * c.d_model}; }},
    {"attention.dense.weight", &W::attention_out, Role::kMatrix,
     [](C c) -> Shape {
       return {c.d_model, c.d_model};
     }},
    {"attention.dense.bias", &W::attention_out_bias, Role::kAttentionBias, model_vector},
    {"post_attention_layernorm.weight", &W::mlp_norm_weight, Role::kNorm, model_vector},
    {"post_attention_layernorm.bias", &W::mlp_norm_bias, Role::kNorm, model_vector},
    {"mlp.dense_h_to_4h.weight", &W::mlp_in, Role::kMatrix,
     [](C c) -> Shape {
       return {c.d_mlp, c.d_model};
     }},
    {"mlp.dense_h_to_4h.bias", &W::mlp_in_bias, Role::kBias,
     [](C c) -> Shape { return {c.d_mlp}; }},
    {"mlp.dense_4h_to_h.weight", &W::mlp_out, Role::kMatrix,
     [](C c) -> Shape {
       return {c.d_model, c.d_mlp};
     }},
    {"mlp.dense_4h_to_h.bias", &W::mlp_out_bias, Role::kBias, model_vector},
};

// What a layer's buffers were called when they were saved.
const char* const kLayerConstants[] = {"attention.bias", "attention.masked_bias",
                                       "attention.rotary_emb.inv_freq"};
constexpr char kModelConstant[] = "gpt_neox.rotary_emb.inv_freq";

constexpr char kEmbedding[] = "gpt_neox.embed_in.weight";
constexpr char kFinalNorm[] = "gpt_neox.final_layer_norm.weight";
constexpr char kFinalNormBias[] = "gpt_neox.final_layer_norm.bias";
constexpr char kHead[] = "embed_out.weight";
constexpr char kNewHead[] = "lm_head.weight";

std::string layer_prefix(std::int64_t layer) {
  return "gpt_neox.layers." + std::to_string(layer) + ".";
}

class Placer {
 public:
  Placer(UnplacedTensors tensors, const GptNeoXConfig& config, std::optional<at::ScalarType> dtype,
         at::Device device)
      : tensors_(std::move(tensors)), config_(config), device_(device) {
    matrix_dtype_ =
        dtype ? *dtype : tensors_.dtype_of(layer_prefix(0) + "attention.query_key_value.weight");
    acc_dtype_ = matrix_dtype_ == at::kDouble ? at::kDouble : at::kFloat;
  }

  GptNeoXWeights place() {
    const Shape table = {config_.vocab_size, config_.d_model};
    const char* head = tensors_.contains(kNewHead) ? kNewHead : kHead;
    GptNeoXWeights weights;
    const at::Tensor embedding = tensors_.take(kEmbedding, table);
    weights.embedding = convert(embedding, Role::kMatrix);
    if (config_.tie_embeddings) {
      tensors_.take_tied(head, embedding);
      weights.lm_head = weights.embedding;
    } else {
      weights.lm_head = convert(tensors_.take(head, table), Role::kMatrix);
    }
    for (std::int64_t l = 0; l < config_.n_layer; ++l) weights.layers.push_back(place_layer(l));
    weights.final_norm_weight =
        convert(tensors_.take(kFinalNorm, model_vector(config_)), Role::kNorm);
    weights.final_norm_bias =
        convert(tensors_.take(kFinalNormBias, model_vector(config_)), Role::kNorm);
    tensors_.drop(kModelConstant);
    tensors_.refuse_rest();
    return weights;
  }

 private:
  GptNeoXLayerWeights place_layer(std::int64_t layer) {
    const std::string prefix = layer_prefix(layer);
    GptNeoXLayerWeights weights;
    for (const LayerRow& row : kLayerTable) {
      if (row.role == Role::kAttentionBias && !config_.attention_bias) continue;
      weights.*row.member = convert(tensors_.take(prefix + row.name, row.shape(config_)), row.role);
    }
    for (const char* constant : kLayerConstants) tensors_.drop(prefix + constant);
    return weights;
  }

  at::Tensor convert(const at::Tensor& tensor, Role role) const {
    return tensor.to(device_, role == Role::kNorm ? acc_dtype_ : matrix_dtype_).contiguous();
  }

  UnplacedTensors tensors_;
  const GptNeoXConfig& config_;
  at::ScalarType matrix_dtype_;
  at::ScalarType acc_dtype_;
  at::Device device_;
};

}  // namespace

GptNeoXWeights name_gpt_neox_weights(NamedTensors tensors, const GptNeoXConfig& config,
                                     std::optional<at::ScalarType> dtype, at::Device device,
                                     const std::string& file) {
  check_model_dtype(dtype);
  return Placer({std::move(tensors), file}, config, dtype, device).place();
}

}  // namespace simba
