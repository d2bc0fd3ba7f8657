// Whole prefills as CUDA graphs, one per shape: every shape inside a prefill follows from the
// lengths of its contexts and its plan, since a schedule fixes how many tokens each layer keeps.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstddef>
#include <functional>
#include <list>
#include <mutex>
#include <string>
#include <vector>

#include "csrc/model/cuda_graph.h"
#include "csrc/model/device_constants.h"
#include "csrc/model/mamba_state.h"
#include "csrc/model/packed_tokens.h"

namespace simba {

// The first pass over a shape runs as it is; the second is captured, and replayed from then on. At
// most `capacity` graphs are held, the least recently used given up first; shapes seen once are
// remembered up to four times as many. A graph holds the memory of its results and shares that of
// everything between with the others, so a model's passes belong on one stream.
class PrefillGraphs {
 public:
  struct Outputs {
    std::vector<MambaLayerState> layers;
    at::Tensor last_logits;
  };
  // ids (R) int64 on the model's device -> outputs. Kept by the graph: it must own what it uses.
  using Pass = std::function<Outputs(const at::Tensor& ids)>;

  PrefillGraphs(std::size_t capacity, Capture capture)
      : capacity_(capacity), capture_(std::move(capture)) {}

  // What pass(tokens.ids) returns, in tensors that no later call touches. plan_key:
  // PruningPlan::key().
  Outputs run(const PackedTokens& tokens, const std::string& plan_key, at::Device device,
              const Pass& pass);

  std::size_t captured() const;  // graphs held now

 private:
  struct Graph {
    DeviceConstants constants;
    at::Tensor ids;
    Outputs outputs;
    std::function<void()> replay;
  };
  struct Shape {
    std::string key;
    std::unique_ptr<Graph> graph;  // null: seen once
  };

  std::unique_ptr<Graph> capture(const PackedTokens& tokens, at::Device device,
                                 const Pass& pass) const;
  void give_up_oldest();

  std::size_t capacity_;
  Capture capture_;
  std::list<Shape> shapes_;  // most recently used first
  mutable std::mutex mutex_;
};

}  // namespace simba
