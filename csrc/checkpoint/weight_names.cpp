#include "csrc/checkpoint/weight_names.h"

#include <algorithm>
#include <cstdint>
#include <sstream>
#include <utility>
#include <vector>

#include "csrc/checkpoint/quote.h"
#include "csrc/input_error.h"

namespace simba {
namespace {

// What becomes of a tensor. Vectors, the convolution and A are accumulated with ("acc" in
// mamba_weights.h).
enum class Role { kMatrix, kProjectionBias, kVector, kConvolution, kLogA };

enum class Present { kAlways, kWithLayerNorm, kWithConvBias, kWithProjectionBias };

using Shape = std::vector<std::int64_t>;

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

std::string to_text(at::IntArrayRef shape) {
  std::ostringstream out;
  out << shape;
  return out.str();
}

bool is_supported(at::ScalarType dtype) {
  return dtype == at::kFloat || dtype == at::kBFloat16 || dtype == at::kHalf ||
         dtype == at::kDouble;
}

class Placer {
 public:
  Placer(NamedTensors tensors, const CheckpointConfig& config, std::optional<at::ScalarType> dtype,
         at::Device device, const std::string& file)
      : tensors_(std::move(tensors)), config_(config), device_(device), file_(file) {
    matrix_dtype_ = dtype ? *dtype : stored_dtype();
    acc_dtype_ = matrix_dtype_ == at::kDouble ? at::kDouble : at::kFloat;
  }

  MambaWeights place() {
    const MambaConfig& model = config_.model;
    MambaWeights weights;
    const Shape table = {model.vocab_size, model.d_model};
    const at::Tensor embedding = take(embedding_name(), table);
    place_head(embedding, table, weights);
    for (std::int64_t i = 0; i < model.n_layer; ++i) weights.layers.push_back(place_layer(i));
    weights.final_norm_weight = convert(take(kFinalNorm, {model.d_model}), Role::kVector);
    if (!model.rms_norm) {
      weights.final_norm_bias = convert(take(kFinalNormBias, {model.d_model}), Role::kVector);
    }
    if (!tensors_.empty()) {
      fail(tensors_.begin()->first,
           "unexpected; " + std::to_string(tensors_.size()) +
               " tensor(s) in all do not belong to the model of config.json");
    }
    return weights;
  }

 private:
  [[noreturn]] void fail(const std::string& name, const std::string& text) const {
    throw InputError(file_ + ": tensor " + quote(name) + ": " + text);
  }

  // As stored: the type of in_proj, which is a matrix of every model.
  at::ScalarType stored_dtype() const {
    const std::string name = layer_prefix(0) + "mixer.in_proj.weight";
    const auto found = tensors_.find(name);
    if (found == tensors_.end()) fail(name, "missing");
    check_floating(name, found->second);
    return found->second.scalar_type();
  }

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

  void check_floating(const std::string& name, const at::Tensor& tensor) const {
    if (!is_supported(tensor.scalar_type())) {
      fail(name, std::string("expected float32, bfloat16, float16 or float64, got ") +
                     c10::toString(tensor.scalar_type()));
    }
  }

  at::Tensor take(const std::string& name, const Shape& shape) {
    const auto found = tensors_.find(name);
    if (found == tensors_.end()) fail(name, "missing, expected shape " + to_text(shape));
    const at::Tensor tensor = found->second;
    if (tensor.sizes() != at::IntArrayRef(shape)) {
      fail(name, "expected shape " + to_text(shape) + ", got " + to_text(tensor.sizes()));
    }
    check_floating(name, tensor);
    tensors_.erase(found);
    return tensor;
  }

  at::Tensor convert(const at::Tensor& tensor, Role role) const {
    if (role == Role::kMatrix || role == Role::kProjectionBias) {
      return tensor.to(device_, matrix_dtype_).contiguous();
    }
    at::Tensor acc = tensor.to(acc_dtype_).contiguous();
    if (role == Role::kLogA) acc = acc.exp().neg();
    if (role == Role::kConvolution) acc = acc.squeeze(1);
    return acc.to(device_);
  }

  bool is_present(Present present) const {
    switch (present) {
      case Present::kWithLayerNorm:
        return !config_.model.rms_norm;
      case Present::kWithConvBias:
        return config_.conv_bias;
      case Present::kWithProjectionBias:
        return config_.projection_bias;
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
      weights.*row.member = convert(take(name, row.shape(config_.model)), row.role);
    }
    return weights;
  }

  void place_head(const at::Tensor& embedding, const Shape& shape, MambaWeights& weights) {
    weights.embedding = convert(embedding, Role::kMatrix);
    if (!config_.model.tie_embeddings) {
      weights.lm_head = convert(take(kHead, shape), Role::kMatrix);
      return;
    }
    weights.lm_head = weights.embedding;
    if (!tensors_.contains(kHead)) return;
    // torch.save writes a tied head too, usually over the embedding's own storage.
    const at::Tensor head = take(kHead, shape);
    const bool same_memory = head.const_data_ptr() == embedding.const_data_ptr() &&
                             head.strides() == embedding.strides() &&
                             head.scalar_type() == embedding.scalar_type();
    if (!same_memory && !(head.scalar_type() == embedding.scalar_type() && head.equal(embedding))) {
      fail(kHead, "differs from the embedding, but config.json ties the two");
    }
  }

  NamedTensors tensors_;  // those not placed yet
  const CheckpointConfig& config_;
  at::ScalarType matrix_dtype_;
  at::ScalarType acc_dtype_;
  at::Device device_;
  const std::string& file_;
};

}  // namespace

MambaWeights name_weights(NamedTensors tensors, const CheckpointConfig& config,
                          std::optional<at::ScalarType> dtype, at::Device device,
                          const std::string& file) {
  if (dtype && !is_supported(*dtype)) {
    throw InputError(std::string("dtype: expected float32, bfloat16, float16 or float64, got ") +
                     c10::toString(*dtype));
  }
  return Placer(std::move(tensors), config, dtype, device, file).place();
}

}  // namespace simba
