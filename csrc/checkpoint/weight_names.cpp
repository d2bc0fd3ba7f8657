#include "csrc/checkpoint/weight_names.h"

#include <cstdint>
#include <utility>

#include "csrc/checkpoint/unplaced_tensors.h"
#include "csrc/model/vector_math.h"

namespace simba {
namespace {

// What becomes of a tensor. Vectors, the convolution and A are accumulated with ("acc" in
// mamba_weights.h).
enum class Role { kMatrix, kProjectionBias, kVector, kConvolution, kLogA };

enum class Present { kAlways, kWithLayerNorm, kWithConvBias, kWithProjectionBias };

struct LayerRow {
  const char* name;  // after "backbone.layers.N."
  at::Tensor MambaLayerWeights::*member;
  Role role;
  Present present;
  Shape (*shape)(const MambaConfig&);
};

using W = MambaLayerWeights;
using C = const MambaConfig&;

// Both layouts name the tensors of a block alike; they differ in the embedding alone.
const LayerRow kLayerTable[] = {
    {"norm.weight", &W::norm_weight, Role::kVector, Present::kAlways,
     [](C c) -> Shape { return {c.d_model}; }},
    {"norm.bias", &W::norm_bias, Role::kVector, Present::kWithLayerNorm,
     [](C c) -> Shape { return {c.d_model}; }},
    {"mixer.in_proj.weight", &W::in_proj, Role::kMatrix, Present::kAlways,
     [](C c) -> Shape {
       return {2 * c.d_inner, c.d_model};
     }},
    {"mixer.in_proj.bias", &W::in_proj_bias, Role::kProjectionBias, Present::kWithProjectionBias,
     [](C c) -> Shape { return {2 * c.d_inner}; }},
    {"mixer.conv1d.weight", &W::conv_weight, Role::kConvolution, Present::kAlways,
     [](C c) -> Shape {
       return {c.d_inner, 1, c.d_conv};
     }},
    {"mixer.conv1d.bias", &W::conv_bias, Role::kVector, Present::kWithConvBias,
     [](C c) -> Shape { return {c.d_inner}; }},
    {"mixer.x_proj.weight", &W::x_proj, Role::kMatrix, Present::kAlways,
     [](C c) -> Shape {
       return {c.dt_rank + 2 * c.d_state, c.d_inner};
     }},
    {"mixer.dt_proj.weight", &W::dt_proj, Role::kMatrix, Present::kAlways,
     [](C c) -> Shape {
       return {c.d_inner, c.dt_rank};
     }},
    {"mixer.dt_proj.bias", &W::dt_bias, Role::kVector, Present::kAlways,
     [](C c) -> Shape { return {c.d_inner}; }},
    {"mixer.A_log", &W::A, Role::kLogA, Present::kAlways,
     [](C c) -> Shape {
       return {c.d_inner, c.d_state};
     }},
    {"mixer.D", &W::D, Role::kVector, Present::kAlways, [](C c) -> Shape { return {c.d_inner}; }},
    {"mixer.out_proj.weight", &W::out_proj, Role::kMatrix, Present::kAlways,
     [](C c) -> Shape {
       return {c.d_model, c.d_inner};
     }},
    {"mixer.out_proj.bias", &W::out_proj_bias, Role::kProjectionBias, Present::kWithProjectionBias,
     [](C c) -> Shape { return {c.d_model}; }},
};

const char* const kEmbeddingNames[] = {"backbone.embedding.weight", "backbone.embeddings.weight"};
constexpr char kFinalNorm[] = "backbone.norm_f.weight";
constexpr char kFinalNormBias[] = "backbone.norm_f.bias";
constexpr char kHead[] = "lm_head.weight";

class Placer {
 public:
  Placer(UnplacedTensors tensors, const CheckpointConfig& config,
         std::optional<at::ScalarType> dtype, at::Device device)
      : tensors_(std::move(tensors)), config_(config), device_(device) {
    // As stored: the type of in_proj, which is a matrix of every model.
    matrix_dtype_ = dtype ? *dtype : tensors_.dtype_of(layer_prefix(0) + "mixer.in_proj.weight");
    acc_dtype_ = matrix_dtype_ == at::kDouble ? at::kDouble : at::kFloat;
  }

  MambaWeights place() {
    const MambaConfig& model = config_.model;
    MambaWeights weights;
    const Shape table = {model.vocab_size, model.d_model};
    const at::Tensor embedding = tensors_.take(embedding_name(), table);
    weights.embedding = convert(embedding, Role::kMatrix);
    if (model.tie_embeddings) {
      tensors_.take_tied(kHead, embedding);
      weights.lm_head = weights.embedding;
    } else {
      weights.lm_head = convert(tensors_.take(kHead, table), Role::kMatrix);
    }
    for (std::int64_t i = 0; i < model.n_layer; ++i) weights.layers.push_back(place_layer(i));
    weights.final_norm_weight = convert(tensors_.take(kFinalNorm, {model.d_model}), Role::kVector);
    if (!model.rms_norm) {
      weights.final_norm_bias =
          convert(tensors_.take(kFinalNormBias, {model.d_model}), Role::kVector);
    }
    tensors_.refuse_rest();
    return weights;
  }

 private:
  static std::string layer_prefix(std::int64_t layer) {
    return "backbone.layers." + std::to_string(layer) + ".";
  }

  // Hugging Face's published conversions keep the state-spaces name, so the layout does not decide.
  std::string embedding_name() const {
    for (const char* name : kEmbeddingNames) {
      if (tensors_.contains(name)) return name;
    }
    return kEmbeddingNames[config_.layout == Layout::kHuggingFace ? 1 : 0];
  }

  at::Tensor convert(const at::Tensor& tensor, Role role) const {
    if (role == Role::kMatrix || role == Role::kProjectionBias) {
      return tensor.to(device_, matrix_dtype_).contiguous();
    }
    at::Tensor acc = tensor.to(acc_dtype_).contiguous();
    if (role == Role::kLogA) {
      settle_vector_math();
      acc = acc.exp().neg();
    }
    if (role == Role::kConvolution) acc = acc.squeeze(1);
    return acc.to(device_);
  }

  bool is_present(Present present) const {
    switch (present) {
      case Present::kWithLayerNorm:
        return !config_.model.rms_norm;
      case Present::kWithConvBias:
        return config_.model.conv_bias;
      case Present::kWithProjectionBias:
        return config_.model.projection_bias;
      case Present::kAlways:
        break;
    }
    return true;
  }

  MambaLayerWeights place_layer(std::int64_t layer) {
    MambaLayerWeights weights;
    for (const LayerRow& row : kLayerTable) {
      if (!is_present(row.present)) continue;
      const std::string name = layer_prefix(layer) + row.name;
      weights.*row.member = convert(tensors_.take(name, row.shape(config_.model)), row.role);
    }
    return weights;
  }

  UnplacedTensors tensors_;
  const CheckpointConfig& config_;
  at::ScalarType matrix_dtype_;
  at::ScalarType acc_dtype_;
  at::Device device_;
};

}  // namespace

MambaWeights name_weights(NamedTensors tensors, const CheckpointConfig& config,
                          std::optional<at::ScalarType> dtype, at::Device device,
                          const std::string& file) {
  check_model_dtype(dtype);
  return Placer({std::move(tensors), file}, config, dtype, device).place();
}

}  // namespace simba
