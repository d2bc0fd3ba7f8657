// simba_ssm._C: the C++ model for Python. Nothing here computes: it converts arguments, releases
// the GIL around every pass and lets Ctrl-C interrupt one between layers.
#include <pybind11/functional.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>
#include <torch/csrc/utils/pybind.h>

#include <optional>

#include "csrc/checkpoint/load_model.h"
#include "csrc/input_error.h"
#include "csrc/model/language_model.h"
#include "csrc/model/mamba_state.h"
#include "csrc/model/pruning_plan.h"

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

  py::class_<LanguageModel>(m, "LanguageModel", "A language model behind the C++ interface.")
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
            Prefill prefill;
            {
              const py::gil_scoped_release released;
              prefill = model.prefill(pack(sequences), plan, &observer);
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
      .def("flops", &LanguageModel::flops, py::arg("T"), py::arg("plan"),
           py::arg("continuation") = 0)
      .def_property_readonly("n_layer", &LanguageModel::n_layer)
      .def_property_readonly("vocab_size", &LanguageModel::vocab_size)
      .def_property_readonly("dtype", &LanguageModel::dtype)
      .def_property_readonly("device", &LanguageModel::device);
}

}  // namespace

PYBIND11_MODULE(_C, m) {
  py::register_exception_translator([](std::exception_ptr pointer) {
    try {
      if (pointer) std::rethrow_exception(pointer);
    } catch (const InputError& error) {
      py::set_error(PyExc_ValueError, error.what());
    }
  });
  bind_layers(m);
  bind_plan(m);
  bind_model(m);
}

}  // namespace simba
