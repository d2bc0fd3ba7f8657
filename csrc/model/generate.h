// Decoding: new tokens, one after the other, from a state.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <vector>

#include "csrc/model/cuda_graph.h"
#include "csrc/model/decoder.h"
#include "csrc/model/sampling.h"
#include "csrc/model/simba.h"

namespace simba {

struct GenerateOptions {
  std::int64_t max_new_tokens = 1;
  Sampling sampling = {};  // greedy
  std::vector<std::int64_t> stop_ids =
      {};  // a sequence ends with the first of them, which it includes
  // (S) which random numbers each sequence draws (sampling.h); empty: 0, 1, 2, ...
  std::vector<std::int64_t> streams = {};
};

// Sees the tokens of one step: (S) ids, -1 for sequences that have ended. Returning false ends all.
using OnTokens = std::function<bool(const std::vector<std::int64_t>& ids)>;

// Decodes with one model, which must outlive it. Keeps the decoders of the last kDecoders batch
// sizes and samplings (each with its CUDA graph and states). Calls may overlap, in threads or
// within on_tokens: each takes its decoder for itself.
class Generator {
 public:
  static constexpr std::size_t kDecoders = 2;
  static constexpr std::int64_t kGraphSteps = 8;

  // Captures where the model lies on a GPU and the build can; steps and capture for tests.
  explicit Generator(const Simba& model);
  Generator(const Simba& model, std::int64_t steps, Capture capture);

  // The new tokens of every sequence, from the state and logits (S, V) that a prefill or extend
  // left; neither is changed. On a GPU it computes up to 2 kGraphSteps tokens ahead of on_tokens.
  // Throws InputError on a state of another model, logits of another shape, an option out of range.
  std::vector<std::vector<std::int64_t>> generate(const State& state, const at::Tensor& last_logits,
                                                  const GenerateOptions& options,
                                                  const OnTokens& on_tokens = {});

 private:
  // One decoder, kept or new; and keeps it again.
  std::list<Decoder> take_decoder(std::int64_t sequences, const Sampling& sampling);
  void keep(std::list<Decoder> decoder);

  const Simba& model_;
  std::int64_t steps_;
  Capture capture_;
  std::mutex mutex_;             // of decoders_
  std::list<Decoder> decoders_;  // most recently used first; none that a call has taken
};

}  // namespace simba
