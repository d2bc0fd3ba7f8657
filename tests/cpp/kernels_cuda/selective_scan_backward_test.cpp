// The scan's gradients, portable and fast, against their definition in float64.
#include <gtest/gtest.h>

#include <map>
#include <optional>
#include <ostream>
#include <string>

#include "kernels/selective_scan_backward/scan_backward_paths.h"
#include "kernels/selective_scan_backward/selective_scan_backward_cuda.h"
#include "tests/cpp/kernels_cuda/layout.h"
#include "tests/cpp/kernels_cuda/paths.h"

namespace simba::kernels {
namespace {

// A base case; every row of the table differs from it in one respect.
struct Case {
  std::string name;
  Layout (*layout)() = [] { return Layout::batch_of(2, 63); };
  std::int64_t channels = 40;
  std::int64_t states = 16;
  Spacing spacing = {};
  bool D = true, z = true, delta_bias = true, softplus = true, states_around = true;
  bool fast = true;  // whether the fast kernels take it
};

using Values = std::vector<double>;
using Gradients = std::map<std::string, Values>;

template <typename T>
struct Inputs {
  using Acc = AccumulateType<T>;

  Inputs(const Case& c, const Layout& layout) {
    Random random(1);
    const std::int64_t rows = layout.tokens(), elements = rows * c.channels;
    u = rounded<T>(random.normal(elements));
    delta = rounded<T>(c.softplus ? random.normal(elements, -2) : random.uniform(elements, 0, 0.5));
    grad_out = rounded<T>(random.normal(elements));
    if (c.z) z = rounded<T>(random.normal(elements, 0, 2));
    B = rounded<T>(random.normal(rows * c.states));
    C = rounded<T>(random.normal(rows * c.states));
    A = rounded<Acc>(random.decay(c.channels * c.states));
    if (c.D) D = rounded<Acc>(random.normal(c.channels));
    if (c.delta_bias) delta_bias = rounded<Acc>(random.uniform(c.channels, 0, 0.5));
    if (c.states_around) {
      const std::int64_t count = layout.count() * c.channels * c.states;
      initial_state = rounded<Acc>(random.normal(count));
      grad_last_state = rounded<Acc>(random.normal(count));
    }
  }

  Values u, delta, z, B, C, A, D, delta_bias, initial_state, grad_out, grad_last_state;
};

double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }

template <typename T>
Gradients reference(const Case& c, const Layout& layout, const Inputs<T>& in) {
  const std::int64_t D = c.channels, N = c.states, tokens = layout.tokens();
  Gradients g;
  for (const char* name : {"u", "delta", "z"}) g[name].resize(tokens * D);
  for (const char* name : {"B", "C"}) g[name].resize(tokens * N);
  for (const char* name : {"D", "delta_bias"}) g[name].resize(D);
  g["A"].resize(D * N);
  g["initial_state"].resize(layout.count() * D * N);
  for (std::int64_t s = 0; s < layout.count(); ++s) {
    const std::int64_t begin = layout.begin(s), end = layout.end(s);
    for (std::int64_t d = 0; d < D; ++d) {
      const auto dt_of = [&](std::int64_t t) {
        const double raw = in.delta[t * D + d] + (c.delta_bias ? in.delta_bias[d] : 0);
        return c.softplus ? softplus(raw) : raw;
      };
      Values y(end - begin), grad_dt(end - begin), grad_u(end - begin);
      for (std::int64_t n = 0; n < N; ++n) {
        const std::int64_t state = (s * D + d) * N + n;
        const double a = in.A[d * N + n];
        Values h{c.states_around ? in.initial_state[state] : 0};
        for (std::int64_t t = begin; t < end; ++t) {
          const double dt = dt_of(t);
          h.push_back(std::exp(dt * a) * h.back() + dt * in.B[t * N + n] * in.u[t * D + d]);
          y[t - begin] += in.C[t * N + n] * h.back();
        }
        double adjoint = c.states_around ? in.grad_last_state[state] : 0;
        for (std::int64_t t = end - 1; t >= begin; --t) {
          const double dt = dt_of(t), u = in.u[t * D + d], b = in.B[t * N + n];
          const double dy = in.grad_out[t * D + d] * (c.z ? silu(in.z[t * D + d]) : 1);
          adjoint += in.C[t * N + n] * dy;
          const double decayed = std::exp(dt * a) * h[t - begin];
          g["B"][t * N + n] += adjoint * dt * u;
          g["C"][t * N + n] += dy * h[t - begin + 1];
          g["A"][d * N + n] += adjoint * dt * decayed;
          grad_dt[t - begin] += adjoint * (a * decayed + b * u);
          grad_u[t - begin] += adjoint * dt * b;
          adjoint *= std::exp(dt * a);
        }
        g["initial_state"][state] = adjoint;
      }
      for (std::int64_t t = begin; t < end; ++t) {
        const std::int64_t i = t * D + d;
        const double raw = in.delta[i] + (c.delta_bias ? in.delta_bias[d] : 0);
        const double skip = c.D ? in.D[d] : 0, z = c.z ? in.z[i] : 0;
        const double dy = in.grad_out[i] * (c.z ? silu(z) : 1);
        const double slope = sigmoid(z) * (1 + z * (1 - sigmoid(z)));
        g["u"][i] = grad_u[t - begin] + skip * dy;
        g["delta"][i] = grad_dt[t - begin] * (c.softplus ? sigmoid(raw) : 1);
        g["z"][i] = in.grad_out[i] * slope * (y[t - begin] + skip * in.u[i]);
        g["D"][d] += dy * in.u[i];
        g["delta_bias"][d] += g["delta"][i];
      }
    }
  }
  if (!c.z) g.erase("z");
  if (!c.D) g.erase("D");
  if (!c.delta_bias) g.erase("delta_bias");
  if (!c.states_around) g.erase("initial_state");
  return g;
}

// The gradients of a run, having checked that a second gives the same bits.
template <typename T>
Gradients run_twice(const Case& c, const Layout& layout, const Inputs<T>& in) {
  using Acc = AccumulateType<T>;
  const auto rows = [&](std::int64_t channels, const Values& values) {
    return DeviceRows<T>(layout.batch(), layout.length(), channels, c.spacing, values);
  };
  const DeviceRows<T> u = rows(c.channels, in.u), delta = rows(c.channels, in.delta);
  const DeviceRows<T> grad_out = rows(c.channels, in.grad_out);
  const DeviceRows<T> B = rows(c.states, in.B), C = rows(c.states, in.C);
  std::optional<DeviceRows<T>> z;
  if (c.z) z.emplace(layout.batch(), layout.length(), c.channels, c.spacing, in.z);
  const auto upload = [](const Values& values) { return DeviceArray<Acc>(store_all<Acc>(values)); };
  const DeviceArray<Acc> A = upload(in.A), D = upload(in.D), bias = upload(in.delta_bias);
  const DeviceArray<Acc> initial = upload(in.initial_state), last = upload(in.grad_last_state);

  const auto output = [&](std::int64_t channels, Spacing spacing) {
    return DeviceRows<T>(layout.batch(), layout.length(), channels, spacing);
  };
  DeviceRows<T> grad_u = output(c.channels, c.spacing), grad_delta = output(c.channels, c.spacing);
  DeviceRows<T> grad_z = output(c.z ? c.channels : 0, c.spacing);
  DeviceRows<T> grad_B = output(c.states, {}), grad_C = output(c.states, {});
  DeviceArray<Acc> grad_A(c.channels * c.states), grad_D(c.D ? c.channels : 0);
  DeviceArray<Acc> grad_bias(c.delta_bias ? c.channels : 0);
  DeviceArray<Acc> grad_initial(c.states_around ? layout.count() * c.channels * c.states : 0);
  SelectiveScanBackwardParams<T> params{
      .sequences = layout.on_device(),
      .batch = layout.batch(),
      .channels = c.channels,
      .states = c.states,
      .u = u.const_rows(),
      .delta = delta.const_rows(),
      .z = z ? z->const_rows() : Rows<const T>{},
      .B = B.const_rows(),
      .C = C.const_rows(),
      .A = A.data(),
      .D = D.data(),
      .delta_bias = bias.data(),
      .initial_state = initial.data(),
      .delta_softplus = c.softplus,
      .grad_out = grad_out.const_rows(),
      .grad_last_state = last.data(),
      .grad_u = grad_u.rows(),
      .grad_delta = grad_delta.rows(),
      .grad_z = c.z ? grad_z.rows() : Rows<T>{},
      .grad_B = grad_B.rows(),
      .grad_C = grad_C.rows(),
      .grad_A = grad_A.data(),
      .grad_D = grad_D.data(),
      .grad_delta_bias = grad_bias.data(),
      .grad_initial_state = grad_initial.data(),
  };
  DeviceArray<Acc> scratch(selective_scan_backward_scratch_cuda(params));
  params.scratch = scratch.data();
  if constexpr (sizeof(T) <= sizeof(float)) {
    if (layout.tokens() > 0 && c.channels > 0) {
      EXPECT_EQ(fast_path_takes(params), c.fast);
    }
  }
  const auto run = [&] {
    for (DeviceRows<T>* poisoned : {&grad_u, &grad_delta, &grad_z, &grad_B, &grad_C}) {
      poisoned->poison();
    }
    for (DeviceArray<Acc>* poisoned : {&grad_A, &grad_D, &grad_bias, &grad_initial, &scratch}) {
      poisoned->poison();
    }
    require(selective_scan_backward_cuda(params, nullptr));
    Gradients g{{"u", grad_u.values()},
                {"delta", grad_delta.values()},
                {"B", grad_B.values()},
                {"C", grad_C.values()},
                {"A", load_all(grad_A.download())}};
    if (c.z) g["z"] = grad_z.values();
    if (c.D) g["D"] = load_all(grad_D.download());
    if (c.delta_bias) g["delta_bias"] = load_all(grad_bias.download());
    if (c.states_around) g["initial_state"] = load_all(grad_initial.download());
    return g;
  };
  const Gradients first = run();
  EXPECT_EQ(run(), first) << "a second run differs";
  return first;
}

void PrintTo(const Case& c, std::ostream* out) { *out << c.name; }

const std::vector<Case>& cases() {
  static const std::vector<Case> table = {
      {.name = "base"},
      {.name = "one_step", .layout = [] { return Layout::batch_of(2, 1); }},
      {.name = "two_steps", .layout = [] { return Layout::batch_of(1, 2); }},
      {.name = "tile", .layout = [] { return Layout::batch_of(1, 8); }},
      {.name = "tile_and_one", .layout = [] { return Layout::batch_of(1, 9); }},
      {.name = "chunk", .layout = [] { return Layout::batch_of(1, 64); }},
      {.name = "chunk_and_one", .layout = [] { return Layout::batch_of(1, 65); }},
      {.name = "length_129", .layout = [] { return Layout::batch_of(3, 129); }},
      {.name = "length_1000", .layout = [] { return Layout::batch_of(1, 1000); }},
      {.name = "no_steps", .layout = [] { return Layout::batch_of(2, 0); }},
      {.name = "no_batch", .layout = [] { return Layout::batch_of(0, 5); }},
      {.name = "packed",
       .layout =
           [] {
             return Layout::packed({7, 0, 64, 1, 130, 0});
           }},
      {.name = "packed_alone", .layout = [] { return Layout::packed({40}); }},
      {.name = "packed_empty",
       .layout =
           [] {
             return Layout::packed({0, 0});
           }},
      {.name = "one_channel", .channels = 1, .fast = false},
      {.name = "channels_33", .channels = 33, .fast = false},
      {.name = "channels_4", .channels = 4},
      {.name = "channels_64", .channels = 64},
      {.name = "channels_260", .channels = 260},
      {.name = "no_channels", .channels = 0},
      {.name = "one_state", .states = 1, .fast = false},
      {.name = "states_17", .states = 17, .fast = false},
      {.name = "unaligned", .spacing = {.offset = 1, .row_gap = 3}, .fast = false},
      {.name = "strided", .spacing = {.offset = 8, .row_gap = 16}},
      {.name = "no_D", .D = false},
      {.name = "no_z", .z = false},
      {.name = "no_delta_bias", .delta_bias = false},
      {.name = "no_softplus", .softplus = false},
      {.name = "no_states_around", .states_around = false},
  };
  return table;
}

class SelectiveScanBackwardCudaTable : public testing::TestWithParam<Case> {};

// Gradients are sums whose terms cancel: their arithmetic error is held against their rms.
TEST_P(SelectiveScanBackwardCudaTable, EqualsDefinition) {
  const Case& c = GetParam();
  const Layout layout = c.layout();
  for_each_storage_type([&]<typename T>() {
    const Inputs<T> inputs(c, layout);
    const Gradients expected = reference(c, layout, inputs);
    for_each_path([&] {
      for (const auto& [name, actual] : run_twice(c, layout, inputs)) {
        SCOPED_TRACE(name);
        const bool of_data =
            name == "u" || name == "delta" || name == "z" || name == "B" || name == "C";
        if (of_data) {
          expect_rounded<T>(actual, expected.at(name), 600);
        } else {
          expect_rounded<AccumulateType<T>>(actual, expected.at(name), 600);
        }
      }
    });
  });
}

INSTANTIATE_TEST_SUITE_P(, SelectiveScanBackwardCudaTable, testing::ValuesIn(cases()),
                         [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace simba::kernels
