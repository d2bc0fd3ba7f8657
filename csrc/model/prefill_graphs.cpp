#include "csrc/model/prefill_graphs.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/stack.h>

#include <algorithm>
#include <memory>

#include "csrc/model/packed_layout.h"

namespace simba {
namespace {

std::string shape_key(const PackedTokens& tokens, const std::string& plan_key) {
  std::string key = plan_key;
  key.append(" |");
  for (const std::int64_t length : tokens.lengths) key.append(" ").append(std::to_string(length));
  return key;
}

// From pinned memory, so that the host waits for nothing. The allocator of pinned memory keeps the
// staging tensor's own until the copy is done.
void upload(const std::vector<std::int64_t>& values, at::Tensor& to) {
  const auto options = at::TensorOptions(at::kLong).pinned_memory(to.is_cuda());
  const at::Tensor staging = at::empty({static_cast<std::int64_t>(values.size())}, options);
  std::copy(values.begin(), values.end(), staging.data_ptr<std::int64_t>());
  to.copy_(staging, /*non_blocking=*/true);
}

// Copies of the graph's own tensors: two launches for the states of all layers.
PrefillGraphs::Outputs fresh(const PrefillGraphs::Outputs& outputs) {
  std::vector<at::Tensor> ssm, conv;
  for (const MambaLayerState& layer : outputs.layers) {
    ssm.push_back(layer.ssm);
    conv.push_back(layer.conv);
  }
  const at::Tensor all_ssm = at::stack(ssm), all_conv = at::stack(conv);
  PrefillGraphs::Outputs copies;
  for (std::size_t l = 0; l < outputs.layers.size(); ++l) {
    const auto row = static_cast<std::int64_t>(l);
    copies.layers.push_back({all_ssm.select(0, row), all_conv.select(0, row)});
  }
  copies.last_logits = outputs.last_logits.clone();
  return copies;
}

}  // namespace

PrefillGraphs::Outputs PrefillGraphs::run(const PackedTokens& tokens, const std::string& plan_key,
                                          at::Device device, const Pass& pass) {
  const std::lock_guard lock(mutex_);
  const std::string key = shape_key(tokens, plan_key);
  const auto found = std::find_if(shapes_.begin(), shapes_.end(),
                                  [&](const Shape& shape) { return shape.key == key; });
  if (found == shapes_.end()) {
    shapes_.push_front({key, nullptr});
    if (shapes_.size() > 4 * capacity_) shapes_.pop_back();
    return pass(make_index(tokens.ids, device));
  }
  shapes_.splice(shapes_.begin(), shapes_, found);
  Shape& shape = shapes_.front();
  if (!shape.graph) {
    if (captured() >= capacity_) give_up_oldest();
    shape.graph = capture(tokens, device, pass);
  }
  upload(tokens.ids, shape.graph->ids);
  shape.graph->replay();
  return fresh(shape.graph->outputs);
}

std::size_t PrefillGraphs::captured() const {
  return std::count_if(shapes_.begin(), shapes_.end(),
                       [](const Shape& shape) { return shape.graph != nullptr; });
}

std::unique_ptr<PrefillGraphs::Graph> PrefillGraphs::capture(const PackedTokens& tokens,
                                                             at::Device device,
                                                             const Pass& pass) const {
  auto graph = std::make_unique<Graph>();
  graph->ids = make_index(tokens.ids, device);
  // The first of the two passes copies what the shape decides to the device, the second finds it.
  graph->replay = capture_(device, [graph = graph.get(), pass] {
    const DeviceConstants::Scope scope(graph->constants);
    graph->outputs = pass(graph->ids);
  });
  return graph;
}

void PrefillGraphs::give_up_oldest() {
  const auto oldest = std::find_if(shapes_.rbegin(), shapes_.rend(),
                                   [](const Shape& shape) { return shape.graph != nullptr; });
  if (oldest != shapes_.rend()) oldest->graph.reset();
}

}  // namespace simba
