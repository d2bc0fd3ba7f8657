// simba_ssm._C: the C++ model for Python. Nothing here computes: it converts arguments, releases
// the GIL around every pass and lets Ctrl-C interrupt one between layers.
#include <pybind11/functional.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>
#include <torch/csrc/utils/pybind.h>

#include <optional>

#include "csrc/checkpoint/load_model.h"
#include "csrc/checkpoint/load_shape.h"
#include "csrc/checkpoint/weight_names.h"
#include "csrc/input_error.h"
#include "csrc/model/generate.h"
#include "csrc/model/language_model.h"
#include "csrc/model/mamba_state.h"
#include "csrc/model/order_of_sums.h"
#include "csrc/model/pruning_plan.h"
#include "csrc/model/simba.h"

namespace py = pybind11;

namespace simba {
namespace {

using Sequences = std::vector<std::vector<std::int64_t>>;

PackedTokens pack(const Sequences& sequences) {
  PackedTokens tokens;
  for (const auto& sequence : sequences) tokens.append(sequence);
  return tokens;
}

// Runs between layers, while the model holds no GIL: hears signals, then hands on to a Python
// callable.
class PythonObserver final : public Observer {
 public:
  explicit PythonObserver(const py::object& callback) : callback_(callback) {}

  void saw(std::int64_t layer, const Tokens& tokens, const SsmInputs& inputs,
           const Kept& kept) override {
    const py::gil_scoped_acquire gil;
    if (PyErr_CheckSignals() != 0) throw py::error_already_set();
    if (!callback_.is_none()) callback_(layer, tokens, inputs, kept);
  }

 private:
  const py::object& callback_;
};

PruningPlan make_plan(const std::string& retention, const std::string& schedule,
                      const std::string& criterion, const std::string& decay,
                      const std::string& reduction, std::int64_t seed) {
  return PruningPlan::pruned(Schedule::parse(schedule), Retention::parse(retention),
                             make_criterion(criterion, {decay, reduction, seed}));
}

void bind_layers(py::module_& m) {
  py::class_<Tokens>(m, "Tokens", "Tokens as they leave a layer.")
      .def_readonly("positions", &Tokens::positions)
      .def_readonly("lengths", &Tokens::lengths)
      .def_readonly("cu_seqlens", &Tokens::cu_seqlens)
      .def("activations", &Tokens::activations,
           "(R, d_model): the residual stream after the layer.");
  py::class_<SsmInputs>(m, "SsmInputs", "Inputs of one layer's scan, for all tokens that entered.")
      .def_readonly("u", &SsmInputs::u)
      .def_readonly("delta", &SsmInputs::delta)
      .def_readonly("A", &SsmInputs::A)
      .def_readonly("B", &SsmInputs::B)
      .def_readonly("C", &SsmInputs::C)
      .def_readonly("D", &SsmInputs::D)
      .def_readonly("z", &SsmInputs::z)
      .def_readonly("delta_bias", &SsmInputs::delta_bias)
      .def_readonly("cu_seqlens", &SsmInputs::cu_seqlens)
      .def_readonly("lengths", &SsmInputs::lengths)
      .def_readonly("positions", &SsmInputs::positions);
  py::class_<Kept>(m, "Kept", "The tokens of a layer that go on; indices is None where all do.")
      .def_readonly("indices", &Kept::indices)
      .def_readonly("lengths", &Kept::lengths)
      .def_readonly("cu_seqlens", &Kept::cu_seqlens)
      .def_readonly("scores", &Kept::scores);
}

void bind_plan(py::module_& m) {
  py::class_<PruningPlan>(m, "PruningPlan", "How many tokens each layer keeps, and which.")
      .def_static("dense", &PruningPlan::dense)
      .def_static("pruned", &make_plan, py::arg("retention"), py::arg("schedule"),
                  py::arg("criterion"), py::arg("decay"), py::arg("reduction"), py::arg("seed"))
      .def("with_forced_indices", &PruningPlan::with_forced_indices, py::arg("indices"))
      .def("with_documents", &PruningPlan::with_documents, py::arg("documents"))
      .def("tokens_per_layer", &PruningPlan::tokens_per_layer, py::arg("T"), py::arg("n_layer"))
      .def_property_readonly("is_dense", &PruningPlan::is_dense)
      .def_property_readonly("name", &PruningPlan::name)
      .def("__repr__", [](const PruningPlan& plan) { return "PruningPlan(" + plan.name() + ")"; });
  py::class_<FlopCount>(m, "FlopCount", "Counted floating point operations.")
      .def_readonly("prefill", &FlopCount::prefill)
      .def_readonly("scores", &FlopCount::scores)
      .def_readonly("continuation", &FlopCount::continuation)
      .def_readonly("head", &FlopCount::head)
      .def_property_readonly("prefill_with_scores", &FlopCount::prefill_with_scores)
      .def_property_readonly("total", &FlopCount::total);
}

void bind_model(py::module_& m) {
  py::class_<State>(m, "State", "What a model remembers of S sequences.")
      .def("index", &State::index, py::arg("ids"))
      .def_property_readonly("sequences", &State::sequences)
      .def_property_readonly("plan", &State::plan);
  py::class_<MambaLayerState>(m, "MambaLayerState")
      .def_readonly("ssm", &MambaLayerState::ssm, "(S, d_inner, N)")
      .def_readonly("conv", &MambaLayerState::conv, "(S, d_inner, d_conv - 1)");
  py::class_<MambaState, State>(m, "MambaState")
      .def_readonly("layers", &MambaState::layers)
      .def_readonly("lengths", &MambaState::lengths);

  py::class_<ModelShape>(m, "ModelShape", "What a model costs, from its config.json alone.")
      .def_static("load", &load_shape, py::arg("path"))
      .def("flops", &ModelShape::flops, py::arg("T"), py::arg("plan"), py::arg("continuation") = 0)
      .def_property_readonly("n_layer", &ModelShape::n_layer)
      .def_property_readonly("vocab_size", &ModelShape::vocab_size)
      .def_property_readonly("parameters", &ModelShape::parameters)
      .def_property_readonly("max_length", &ModelShape::max_length)
      .def_property_readonly("family", &ModelShape::family);

  py::class_<LanguageModel, ModelShape>(m, "LanguageModel",
                                        "A language model behind the C++ interface.")
      .def_static(
          "load",
          [](const std::string& path, std::optional<at::ScalarType> dtype, at::Device device) {
            const py::gil_scoped_release released;
            return load_model(path, dtype, device);
          },
          py::arg("path"), py::arg("dtype"), py::arg("device"))
      .def(
          "prefill",
          [](LanguageModel& model, const Sequences& sequences, const PruningPlan& plan,
             const py::object& callback) {
            PythonObserver observer(callback);
            // On a GPU a pass is over for the host before a signal matters, and one that nobody
            // watches can be a CUDA graph.
            const bool watched = model.device().is_cpu() || !callback.is_none();
            Prefill prefill;
            {
              const py::gil_scoped_release released;
              prefill = model.prefill(pack(sequences), plan, watched ? &observer : nullptr);
            }
            return py::make_tuple(std::move(prefill.state), prefill.last_logits);
          },
          py::arg("sequences"), py::arg("plan"), py::arg("observer") = py::none())
      .def(
          "extend",
          [](LanguageModel& model, State& state, const Sequences& sequences,
             const py::object& callback) {
            PythonObserver observer(callback);
            const py::gil_scoped_release released;
            return model.extend(state, pack(sequences), &observer);
          },
          py::arg("state"), py::arg("sequences"), py::arg("observer") = py::none())
      .def_property_readonly("dtype", &LanguageModel::dtype)
      .def_property_readonly("device", &LanguageModel::device);
}

// Runs after every step, while the decoding holds no GIL: hears signals, then hands on to a Python
// callable, whose False ends the decoding.
bool hear(const py::object& callback, const std::vector<std::int64_t>& ids) {
  const py::gil_scoped_acquire gil;
  if (PyErr_CheckSignals() != 0) throw py::error_already_set();
  if (callback.is_none()) return true;
  const py::object answer = callback(ids);
  return answer.is_none() || answer.cast<bool>();
}

// Tensors that need no conversion (csrc/checkpoint/load_model.h) are shared, not copied.
std::unique_ptr<Simba> from_tensors(const MambaConfig& config, NamedTensors tensors,
                                    at::Device device) {
  const py::gil_scoped_release released;
  const CheckpointConfig checkpoint{config, Layout::kStateSpaces};
  return std::make_unique<Simba>(
      config, name_weights(std::move(tensors), checkpoint, std::nullopt, device, "tensors"));
}

void bind_config(py::module_& m) {
  py::class_<MambaConfig>(m, "MambaConfig", "Hyper-parameters of a Mamba-1 language model.")
      .def(py::init<>())
      .def_readwrite("d_model", &MambaConfig::d_model)
      .def_readwrite("n_layer", &MambaConfig::n_layer)
      .def_readwrite("vocab_size", &MambaConfig::vocab_size)
      .def_readwrite("d_state", &MambaConfig::d_state)
      .def_readwrite("d_conv", &MambaConfig::d_conv)
      .def_readwrite("d_inner", &MambaConfig::d_inner)
      .def_readwrite("dt_rank", &MambaConfig::dt_rank)
      .def_readwrite("norm_epsilon", &MambaConfig::norm_epsilon)
      .def_readwrite("rms_norm", &MambaConfig::rms_norm)
      .def_readwrite("residual_in_fp32", &MambaConfig::residual_in_fp32)
      .def_readwrite("tie_embeddings", &MambaConfig::tie_embeddings)
      .def_readwrite("conv_bias", &MambaConfig::conv_bias)
      .def_readwrite("projection_bias", &MambaConfig::projection_bias);
}

void bind_generation(py::module_& m) {
  py::class_<Simba, LanguageModel>(m, "Simba", "A pretrained Mamba-1 language model.")
      .def_static("from_tensors", &from_tensors, py::arg("config"), py::arg("tensors"),
                  py::arg("device"), "Of tensors under the state-spaces checkpoints' names.")
      .def(
          "capture_prefills",
          [](Simba& model, std::size_t capacity) {
            if (!model.device().is_cuda()) {
              throw InputError("capture_prefills: expected a model on a GPU, this one is on " +
                               model.device().str());
            }
            model.capture_prefills(
                capacity > 0 ? std::make_shared<PrefillGraphs>(capacity, cuda_capture()) : nullptr);
          },
          py::arg("capacity"));
  py::class_<Generator>(m, "Generator", "Decodes with one model.")
      .def(py::init<const Simba&>(), py::arg("model"), py::keep_alive<1, 2>())
      .def(
          "generate",
          [](Generator& generator, const State& state, const at::Tensor& last_logits,
             std::int64_t max_new_tokens, double temperature, std::int64_t top_k, double top_p,
             std::uint64_t seed, std::vector<std::int64_t> stop_ids,
             std::vector<std::int64_t> streams, const py::object& on_tokens) {
            const GenerateOptions options{.max_new_tokens = max_new_tokens,
                                          .sampling = {.temperature = temperature,
                                                       .top_k = top_k,
                                                       .top_p = top_p,
                                                       .seed = seed},
                                          .stop_ids = std::move(stop_ids),
                                          .streams = std::move(streams)};
            const py::gil_scoped_release released;
            return generator.generate(state, last_logits, options,
                                      [&](const auto& ids) { return hear(on_tokens, ids); });
          },
          py::arg("state"), py::arg("last_logits"), py::arg("max_new_tokens"),
          py::arg("temperature"), py::arg("top_k"), py::arg("top_p"), py::arg("seed"),
          py::arg("stop_ids"), py::arg("streams"), py::arg("on_tokens"));
  m.def(
      "choose_tokens",
      [](const at::Tensor& logits, double temperature, std::int64_t top_k, double top_p,
         const at::Tensor& uniforms) {
        const Sampling sampling{
            .temperature = temperature, .top_k = top_k, .top_p = top_p, .seed = 0};
        check_sampling(sampling);
        return choose_tokens(logits, sampling, uniforms);
      },
      py::arg("logits"), py::arg("temperature"), py::arg("top_k"), py::arg("top_p"),
      py::arg("uniforms"), "The rule of csrc/model/sampling.h; uniforms (S) float64.");
  m.def("uniform", &uniform, py::arg("seed"), py::arg("stream"), py::arg("step"));
}

}  // namespace

PYBIND11_MODULE(_C, m) {
  fix_order_of_sums();
  py::register_exception_translator([](std::exception_ptr pointer) {
    try {
      if (pointer) std::rethrow_exception(pointer);
    } catch (const InputError& error) {
      py::set_error(PyExc_ValueError, error.what());
    }
  });
  bind_layers(m);
  bind_plan(m);
  bind_config(m);
  bind_model(m);
  bind_generation(m);
}

}  // namespace simba
