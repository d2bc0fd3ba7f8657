#include <algorithm>
#include <iostream>
#include <memory>
#include <optional>

#include "csrc/checkpoint/load_model.h"
#include "csrc/checkpoint/load_shape.h"
#include "eval/commands/commands.h"
#include "eval/options.h"
#include "eval/text/table.h"

namespace simba::eval {
namespace {

constexpr std::int64_t kContext = 2048;

struct NamedTensor {
  std::string name;
  at::Tensor tensor;
};

struct Setting {
  std::string name;
  std::string value;
};

// What there is to say about a checkpoint of either family.
struct Inspection {
  std::string layout;
  std::string weights_file;
  at::ScalarType dtype;
  std::vector<Setting> settings;
  std::vector<NamedTensor> tensors;
};

std::vector<NamedTensor> layer_tensors(const MambaLayerWeights& w) {
  return {{"norm_weight", w.norm_weight},
          {"norm_bias", w.norm_bias},
          {"in_proj", w.in_proj},
          {"in_proj_bias", w.in_proj_bias},
          {"conv_weight", w.conv_weight},
          {"conv_bias", w.conv_bias},
          {"x_proj", w.x_proj},
          {"dt_proj", w.dt_proj},
          {"dt_bias", w.dt_bias},
          {"A", w.A},
          {"D", w.D},
          {"out_proj", w.out_proj},
          {"out_proj_bias", w.out_proj_bias}};
}

std::vector<NamedTensor> layer_tensors(const GptNeoXLayerWeights& w) {
  return {{"attention_norm_weight", w.attention_norm_weight},
          {"attention_norm_bias", w.attention_norm_bias},
          {"query_key_value", w.query_key_value},
          {"query_key_value_bias", w.query_key_value_bias},
          {"attention_out", w.attention_out},
          {"attention_out_bias", w.attention_out_bias},
          {"mlp_norm_weight", w.mlp_norm_weight},
          {"mlp_norm_bias", w.mlp_norm_bias},
          {"mlp_in", w.mlp_in},
          {"mlp_in_bias", w.mlp_in_bias},
          {"mlp_out", w.mlp_out},
          {"mlp_out_bias", w.mlp_out_bias}};
}

template <typename Weights>
std::vector<NamedTensor> all_tensors(const Weights& weights) {
  std::vector<NamedTensor> all = {{"embedding", weights.embedding},
                                  {"final_norm_weight", weights.final_norm_weight},
                                  {"final_norm_bias", weights.final_norm_bias},
                                  {"lm_head", weights.lm_head}};
  for (std::size_t l = 0; l < weights.layers.size(); ++l) {
    for (const auto& [name, tensor] : layer_tensors(weights.layers[l])) {
      all.push_back({"layers." + std::to_string(l) + "." + name, tensor});
    }
  }
  std::erase_if(all, [](const NamedTensor& named) { return !named.tensor.defined(); });
  return all;
}

std::string yes(bool value) { return value ? "yes" : "no"; }

Inspection inspect_mamba(const std::string& dir) {
  const MambaCheckpoint checkpoint = load_mamba(dir, std::nullopt, at::kCPU);
  const MambaConfig& c = checkpoint.config;
  return {checkpoint.layout,
          checkpoint.weights_file,
          checkpoint.weights.embedding.scalar_type(),
          {{"d_model", std::to_string(c.d_model)},
           {"n_layer", std::to_string(c.n_layer)},
           {"vocab_size", std::to_string(c.vocab_size)},
           {"d_inner", std::to_string(c.d_inner)},
           {"d_state", std::to_string(c.d_state)},
           {"d_conv", std::to_string(c.d_conv)},
           {"dt_rank", std::to_string(c.dt_rank)},
           {"norm", c.rms_norm ? "RMSNorm" : "LayerNorm"},
           {"residual_in_fp32", yes(c.residual_in_fp32)},
           {"tie_embeddings", yes(c.tie_embeddings)}},
          all_tensors(checkpoint.weights)};
}

Inspection inspect_gpt_neox(const std::string& dir) {
  const GptNeoXCheckpoint checkpoint = load_gpt_neox(dir, std::nullopt, at::kCPU);
  const GptNeoXConfig& c = checkpoint.config;
  return {"huggingface",
          checkpoint.weights_file,
          checkpoint.weights.embedding.scalar_type(),
          {{"d_model", std::to_string(c.d_model)},
           {"n_layer", std::to_string(c.n_layer)},
           {"vocab_size", std::to_string(c.vocab_size)},
           {"n_head", std::to_string(c.n_head)},
           {"d_head", std::to_string(c.d_head())},
           {"d_mlp", std::to_string(c.d_mlp)},
           {"max_length", std::to_string(c.max_length)},
           {"rotary_dim", std::to_string(c.rotary_dim)},
           {"parallel_residual", yes(c.parallel_residual)},
           {"attention_bias", yes(c.attention_bias)},
           {"tie_embeddings", yes(c.tie_embeddings)}},
          all_tensors(checkpoint.weights)};
}

std::string shape_text(const at::Tensor& tensor) {
  std::string text;
  for (const std::int64_t size : tensor.sizes()) {
    text += (text.empty() ? "" : ", ") + std::to_string(size);
  }
  return "(" + text + ")";
}

void print_config(const Inspection& inspection, const ModelShape& shape) {
  Table table;
  table.add_column("config", Table::Align::kLeft);
  table.add_column("", Table::Align::kLeft);
  table.add_row({"family", shape.family()});
  table.add_row({"layout", inspection.layout});
  table.add_row({"weights", inspection.weights_file});
  table.add_row({"stored type", dtype_name(inspection.dtype)});
  table.add_row({"parameters", std::to_string(shape.parameters())});
  for (const auto& [name, value] : inspection.settings) table.add_row({name, value});
  std::cout << table.text() << "\n";
}

void print_tensors(const std::vector<NamedTensor>& tensors) {
  Table table;
  table.add_column("tensor", Table::Align::kLeft);
  table.add_column("shape", Table::Align::kLeft);
  table.add_column("type", Table::Align::kLeft);
  for (const auto& [name, tensor] : tensors) {
    table.add_row({name, shape_text(tensor), dtype_name(tensor.scalar_type())});
  }
  std::cout << table.text() << "\n";
}

void print_flops(const ModelShape& shape, bool can_drop_tokens) {
  const std::int64_t context = std::min(kContext, shape.max_length().value_or(kContext));
  const FlopCount dense = shape.flops(context, PruningPlan::dense(), 0);
  Table table;
  table.add_column("prefill of (1, " + std::to_string(context) + ")", Table::Align::kLeft);
  table.add_column("GFLOP");
  table.add_column("of dense");
  const auto add = [&](const std::string& name, double flops) {
    table.add_row({name, fixed(flops / 1e9, 3), fixed(100 * flops / dense.prefill, 1) + "%"});
  };
  add("dense", dense.prefill);
  if (can_drop_tokens) {
    const PruningPlan pruned = PruningPlan::pruned(Schedule(), Retention::parse("0.1"),
                                                   make_criterion("influence", CriterionOptions()));
    const FlopCount count = shape.flops(context, pruned, 0);
    add("influence linear r=0.1", count.prefill);
    add("influence linear r=0.1, with scores", count.prefill_with_scores());
  }
  std::cout << table.text();
}

}  // namespace

void run(const InspectModelOptions& options, const std::string& /*command_line*/) {
  const std::unique_ptr<ModelShape> shape = load_shape(options.dir);
  const bool mamba = shape->family() == "mamba";
  const Inspection inspection = mamba ? inspect_mamba(options.dir) : inspect_gpt_neox(options.dir);
  print_config(inspection, *shape);
  print_tensors(inspection.tensors);
  print_flops(*shape, mamba);
}

}  // namespace simba::eval
