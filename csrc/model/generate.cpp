#include "csrc/model/generate.h"

#include <ATen/core/LegacyTypeDispatch.h>
#include <ATen/ops/empty.h>
#include <c10/core/DeviceGuard.h>
#include <c10/core/Event.h>
#include <c10/core/impl/VirtualGuardImpl.h>

#include <algorithm>
#include <numeric>
#include <optional>
#include <string>
#include <utility>

#include "csrc/input_error.h"

namespace simba {
namespace {

// A copy on the host that is under way.
class Download {
 public:
  explicit Download(const at::Tensor& tensor) {
    if (!tensor.is_cuda()) {
      host_ = tensor.clone();
      return;
    }
    host_ = at::empty(tensor.sizes(), tensor.options().device(at::kCPU).pinned_memory(true));
    host_.copy_(tensor, /*non_blocking=*/true);
    done_.emplace(tensor.device().type());
    done_->record(c10::impl::VirtualGuardImpl(tensor.device().type()).getStream(tensor.device()));
  }
  const at::Tensor& wait() const {
    if (done_) done_->synchronize();
    return host_;
  }

 private:
  at::Tensor host_;
  std::optional<c10::Event> done_;
};

// The answer so far, and who still writes.
class Answer {
 public:
  Answer(std::int64_t sequences, const GenerateOptions& options, const OnTokens& on_tokens)
      : options_(options), on_tokens_(on_tokens), tokens_(sequences), ended_(sequences, false) {}

  // ids (steps, S). Steps that nobody waits for any more are dropped.
  void append(const at::Tensor& ids) {
    const std::int64_t* rows = ids.const_data_ptr<std::int64_t>();
    const auto sequences = static_cast<std::int64_t>(tokens_.size());
    for (std::int64_t i = 0; i < ids.size(0) && !is_over(); ++i) {
      append_step(rows + i * sequences);
    }
  }

  bool is_over() const {
    return cancelled_ || steps_ == options_.max_new_tokens ||
           std::all_of(ended_.begin(), ended_.end(), [](bool ended) { return ended; });
  }
  std::vector<std::vector<std::int64_t>> take() { return std::move(tokens_); }

 private:
  void append_step(const std::int64_t* ids) {
    std::vector<std::int64_t> step(tokens_.size(), -1);
    for (std::size_t s = 0; s < tokens_.size(); ++s) {
      if (ended_[s]) continue;
      step[s] = ids[s];
      tokens_[s].push_back(ids[s]);
      ended_[s] = std::find(options_.stop_ids.begin(), options_.stop_ids.end(), ids[s]) !=
                  options_.stop_ids.end();
    }
    ++steps_;
    if (on_tokens_ && !on_tokens_(step)) cancelled_ = true;
  }

  const GenerateOptions& options_;
  const OnTokens& on_tokens_;
  std::vector<std::vector<std::int64_t>> tokens_;
  std::vector<bool> ended_;
  std::int64_t steps_ = 0;
  bool cancelled_ = false;
};

// (steps, S) float64 on the host, for the new tokens from number `first` on.
at::Tensor make_uniforms(const Sampling& sampling, const std::vector<std::int64_t>& streams,
                         std::int64_t first, std::int64_t steps, bool pinned) {
  const auto options = at::TensorOptions(at::kDouble).pinned_memory(pinned);
  const auto sequences = static_cast<std::int64_t>(streams.size());
  const at::Tensor uniforms = at::empty({steps, sequences}, options);
  auto* values = uniforms.data_ptr<double>();
  for (std::int64_t i = 0; i < steps; ++i) {
    for (std::int64_t s = 0; s < sequences; ++s) {
      values[i * sequences + s] = uniform(sampling.seed, streams[s], first + i);
    }
  }
  return uniforms;
}

const MambaState& check_arguments(const Simba& model, const State& state, const at::Tensor& logits,
                                  const GenerateOptions& options) {
  check_sampling(options.sampling);
  const auto* mamba = dynamic_cast<const MambaState*>(&state);
  if (!mamba || static_cast<std::int64_t>(mamba->layers.size()) != model.n_layer()) {
    throw InputError("generate: expected a state made by this model's prefill");
  }
  const std::int64_t sequences = state.sequences();
  if (logits.dim() != 2 || logits.size(0) != sequences || logits.size(1) != model.vocab_size()) {
    throw InputError("last_logits: expected (" + std::to_string(sequences) + ", " +
                     std::to_string(model.vocab_size()) + "), the state's sequences, got " +
                     c10::str(logits.sizes()));
  }
  if (options.max_new_tokens < 0) {
    throw InputError("max_new_tokens: expected at least 0, got " +
                     std::to_string(options.max_new_tokens));
  }
  for (const std::int64_t id : options.stop_ids) {
    if (id < 0 || id >= model.vocab_size()) {
      throw InputError("stop_ids: expected ids in [0, " + std::to_string(model.vocab_size()) +
                       "), got " + std::to_string(id));
    }
  }
  if (!options.streams.empty() && static_cast<std::int64_t>(options.streams.size()) != sequences) {
    throw InputError("streams: expected one number for each of " + std::to_string(sequences) +
                     " sequences, got " + std::to_string(options.streams.size()));
  }
  return *mamba;
}

}  // namespace

Generator::Generator(const Simba& model) : Generator(model, 1, {}) {
  if (model.device().is_cuda() && can_capture()) {
    steps_ = kGraphSteps;
    capture_ = cuda_capture();
  }
}

Generator::Generator(const Simba& model, std::int64_t steps, Capture capture)
    : model_(model), steps_(steps), capture_(std::move(capture)) {}

std::list<Decoder> Generator::take_decoder(std::int64_t sequences, const Sampling& sampling) {
  std::list<Decoder> taken;
  {
    const std::lock_guard lock(mutex_);
    const auto found = std::find_if(decoders_.begin(), decoders_.end(), [&](const Decoder& known) {
      return known.serves(sequences, sampling);
    });
    if (found != decoders_.end()) taken.splice(taken.begin(), decoders_, found);
  }
  if (taken.empty()) taken.emplace_back(model_, sequences, sampling, steps_, capture_);
  return taken;
}

void Generator::keep(std::list<Decoder> decoder) {
  const std::lock_guard lock(mutex_);
  decoders_.splice(decoders_.begin(), decoder);
  if (decoders_.size() > kDecoders) decoders_.pop_back();
}

std::vector<std::vector<std::int64_t>> Generator::generate(const State& state,
                                                           const at::Tensor& last_logits,
                                                           const GenerateOptions& options,
                                                           const OnTokens& on_tokens) {
  const at::AutoDispatchBelowAutograd below_autograd;
  const c10::DeviceGuard device_guard(model_.device());
  const MambaState& from = check_arguments(model_, state, last_logits, options);
  const std::int64_t sequences = state.sequences();
  Answer answer(sequences, options, on_tokens);
  if (sequences == 0 || answer.is_over()) return answer.take();

  std::vector<std::int64_t> streams = options.streams;
  if (streams.empty()) {
    streams.resize(sequences);
    std::iota(streams.begin(), streams.end(), 0);
  }
  const bool on_gpu = model_.device().is_cuda();
  const auto uniforms = [&](std::int64_t first, std::int64_t steps) {
    return make_uniforms(options.sampling, streams, first, steps, on_gpu);
  };
  const at::Tensor first = choose_tokens(
      last_logits, options.sampling, uniforms(0, 1)[0].to(model_.device(), /*non_blocking=*/true));
  std::list<Decoder> taken = take_decoder(sequences, options.sampling);
  Decoder& decoder = taken.front();
  decoder.start(from.layers, first);

  // The next tokens are under way while those before them are read.
  Download read(first.unsqueeze(0));
  for (std::int64_t begun = 1; begun < options.max_new_tokens; begun += decoder.steps()) {
    Download next(decoder.advance(uniforms(begun, decoder.steps())));
    answer.append(read.wait());
    if (answer.is_over()) break;
    read = std::move(next);
  }
  if (!answer.is_over()) answer.append(read.wait());
  keep(std::move(taken));
  return answer.take();
}

}  // namespace simba
