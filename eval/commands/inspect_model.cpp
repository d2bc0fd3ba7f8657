#include <CLI/CLI.hpp>
#include <iostream>
#include <memory>
#include <optional>

#include "csrc/checkpoint/load_model.h"
#include "csrc/model/simba.h"
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

std::vector<NamedTensor> block_tensors(const MambaLayerWeights& w) {
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

std::vector<NamedTensor> model_tensors(const MambaWeights& w) {
  return {{"embedding", w.embedding},
          {"final_norm_weight", w.final_norm_weight},
          {"final_norm_bias", w.final_norm_bias},
          {"lm_head", w.lm_head}};
}

std::string shape_text(const at::Tensor& tensor) {
  std::string text;
  for (const std::int64_t size : tensor.sizes()) {
    text += (text.empty() ? "" : ", ") + std::to_string(size);
  }
  return "(" + text + ")";
}

std::int64_t count_parameters(const MambaWeights& weights) {
  std::int64_t count = 0;
  for (const auto& [name, tensor] : model_tensors(weights)) {
    const bool tied = name == "lm_head" && tensor.is_same(weights.embedding);
    if (tensor.defined() && !tied) count += tensor.numel();
  }
  for (const MambaLayerWeights& layer : weights.layers) {
    for (const auto& [name, tensor] : block_tensors(layer)) {
      if (tensor.defined()) count += tensor.numel();
    }
  }
  return count;
}

void print_config(const MambaCheckpoint& checkpoint) {
  const MambaConfig& c = checkpoint.config;
  const auto yes = [](bool value) { return std::string(value ? "yes" : "no"); };
  Table table;
  table.add_column("config", Table::Align::kLeft);
  table.add_column("", Table::Align::kLeft);
  table.add_row({"layout", checkpoint.layout});
  table.add_row({"weights", checkpoint.weights_file});
  table.add_row({"stored type", dtype_name(checkpoint.weights.embedding.scalar_type())});
  table.add_row({"parameters", std::to_string(count_parameters(checkpoint.weights))});
  table.add_row({"d_model", std::to_string(c.d_model)});
  table.add_row({"n_layer", std::to_string(c.n_layer)});
  table.add_row({"vocab_size", std::to_string(c.vocab_size)});
  table.add_row({"d_inner", std::to_string(c.d_inner)});
  table.add_row({"d_state", std::to_string(c.d_state)});
  table.add_row({"d_conv", std::to_string(c.d_conv)});
  table.add_row({"dt_rank", std::to_string(c.dt_rank)});
  table.add_row({"norm", c.rms_norm ? "RMSNorm" : "LayerNorm"});
  table.add_row({"residual_in_fp32", yes(c.residual_in_fp32)});
  table.add_row({"tie_embeddings", yes(c.tie_embeddings)});
  std::cout << table.text() << "\n";
}

void print_tensors(const MambaWeights& weights) {
  Table table;
  table.add_column("tensor", Table::Align::kLeft);
  table.add_column("shape", Table::Align::kLeft);
  table.add_column("type", Table::Align::kLeft);
  const auto add = [&](const std::string& name, const at::Tensor& tensor) {
    if (tensor.defined()) {
      table.add_row({name, shape_text(tensor), dtype_name(tensor.scalar_type())});
    }
  };
  for (const auto& [name, tensor] : model_tensors(weights)) add(name, tensor);
  for (std::size_t l = 0; l < weights.layers.size(); ++l) {
    for (const auto& [name, tensor] : block_tensors(weights.layers[l])) {
      add("layers." + std::to_string(l) + "." + name, tensor);
    }
  }
  std::cout << table.text() << "\n";
}

void print_flops(const Simba& model) {
  const PruningPlan pruned = PruningPlan::pruned(Schedule(), Retention::parse("0.1"),
                                                 make_criterion("influence", CriterionOptions()));
  const FlopCount dense = model.flops(kContext, PruningPlan::dense(), 0);
  Table table;
  table.add_column("prefill of (1, " + std::to_string(kContext) + ")", Table::Align::kLeft);
  table.add_column("GFLOP");
  table.add_column("of dense");
  const auto add = [&](const std::string& name, double flops) {
    table.add_row({name, fixed(flops / 1e9, 3), fixed(100 * flops / dense.prefill, 1) + "%"});
  };
  add("dense", dense.prefill);
  const FlopCount count = model.flops(kContext, pruned, 0);
  add("influence linear r=0.1", count.prefill);
  add("influence linear r=0.1, with scores", count.prefill_with_scores());
  std::cout << table.text();
}

void run(const std::string& dir) {
  MambaCheckpoint checkpoint = load_mamba(dir, std::nullopt, at::kCPU);
  print_config(checkpoint);
  print_tensors(checkpoint.weights);
  print_flops(Simba(checkpoint.config, std::move(checkpoint.weights)));
}

}  // namespace

void add_inspect_model(CLI::App& app) {
  auto dir = std::make_shared<std::string>();
  CLI::App* command = app.add_subcommand(
      "inspect-model", "Configuration, tensors and counted FLOPs of a checkpoint folder");
  command->add_option("dir", *dir, "checkpoint folder")->required();
  command->callback([dir] { run(*dir); });
}

}  // namespace simba::eval
