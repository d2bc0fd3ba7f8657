// In float64 the gradients are those of the forward kernel: their product with a random direction
// is its slope along it. The narrower types give what float64 gives on the same values.
#include "kernels/selective_scan_backward/selective_scan_backward.h"

#include <map>

#include "kernels/selective_scan/selective_scan.h"
#include "tests/cpp/kernels/test_support.h"

namespace simba::kernels::testing {
namespace {

// The base case; every row of kCases changes one thing of it.
struct Case {
  const char* name = "base";
  std::int64_t batch = 2, length = 37, channels = 17, states = 6;
  bool z = true, D = true, delta_bias = true, state = true, delta_softplus = true;
  std::vector<std::int32_t> cu_seqlens = {};

  std::int64_t sequences() const { return cu_seqlens.empty() ? batch : std::ssize(cu_seqlens) - 1; }
};

const Case kCases[] = {
    {},
    {.name = "length 0", .length = 0},
    {.name = "length 1", .length = 1},
    {.name = "length 32", .length = 32},
    {.name = "length 65", .length = 65},
    {.name = "no sequence", .batch = 0},
    {.name = "no channel", .channels = 0},
    {.name = "1 channel", .channels = 1},
    {.name = "64 channels", .channels = 64},
    {.name = "130 channels", .length = 5, .channels = 130},
    {.name = "1100 channels", .batch = 1, .length = 3, .channels = 1100, .states = 2},
    {.name = "1 state", .states = 1},
    {.name = "16 states", .states = 16},
    {.name = "no z", .z = false},
    {.name = "no D", .D = false},
    {.name = "no delta_bias", .delta_bias = false},
    {.name = "no state", .state = false},
    {.name = "delta as it is", .delta_softplus = false},
    {.name = "packed", .batch = 1, .length = 70, .cu_seqlens = {0, 33, 33, 34, 70}},
};

// Named (B, L, C) tensors and flat parameters, contiguous, in float64.
using Values = std::map<std::string, std::vector<double>>;

Values random_inputs(const Case& c, unsigned seed) {
  Normal normal(seed);
  Values values;
  const auto fill = [&](const char* name, std::int64_t count, double mean = 0) {
    std::vector<double>& filled = values[name];
    for (std::int64_t i = 0; i < count; ++i) filled.push_back(normal(mean));
  };
  const std::int64_t tokens = c.batch * c.length, states = c.channels * c.states;
  for (const char* name : {"u", "grad_out"}) fill(name, tokens * c.channels);
  fill("delta", tokens * c.channels, -1);
  for (const char* name : {"B", "C"}) fill(name, tokens * c.states);
  fill("A", states);
  if (c.z) fill("z", tokens * c.channels);
  if (c.D) fill("D", c.channels);
  if (c.delta_bias) fill("delta_bias", c.channels);
  for (const char* name : {"initial_state", "grad_last_state"}) {
    if (c.state) fill(name, c.sequences() * states);
  }
  return values;
}

template <typename T>
std::vector<T> narrow(const std::vector<double>& values) {
  std::vector<T> narrowed;
  for (const double value : values) narrowed.push_back(from_double<T>(value));
  return narrowed;
}

template <typename T>
std::vector<double> widen(const std::vector<T>& values) {
  std::vector<double> widened;
  for (const T value : values) widened.push_back(to_double(value));
  return widened;
}

template <typename T>
using Stored = std::map<std::string, std::vector<T>>;

template <typename T, typename Params>
void set_inputs(const Case& c, const Stored<T>& data, const Stored<AccumulateType<T>>& parameters,
                Params& params) {
  const auto rows = [&](const char* name, std::int64_t width) {
    const auto found = data.find(name);
    return found == data.end() ? Rows<const T>{}
                               : Rows<const T>{found->second.data(), c.length * width, width};
  };
  const auto parameter = [&](const char* name) {
    const auto found = parameters.find(name);
    return found == parameters.end() ? nullptr : found->second.data();
  };
  params.sequences = {c.sequences(), c.length,
                      c.cu_seqlens.empty() ? nullptr : c.cu_seqlens.data()};
  params.channels = c.channels, params.states = c.states;
  params.u = rows("u", c.channels), params.delta = rows("delta", c.channels);
  params.z = rows("z", c.channels);
  params.B = rows("B", c.states), params.C = rows("C", c.states);
  params.A = parameter("A"), params.D = parameter("D");
  params.delta_bias = parameter("delta_bias");
  params.initial_state = parameter("initial_state");
  params.delta_softplus = c.delta_softplus;
}

template <typename T>
void store(const Values& values, Stored<T>& data, Stored<AccumulateType<T>>& parameters) {
  for (const auto& [name, given] : values) {
    if (name == "u" || name == "delta" || name == "z" || name == "B" || name == "C" ||
        name == "grad_out") {
      data[name] = narrow<T>(given);
    } else {
      parameters[name] = narrow<AccumulateType<T>>(given);
    }
  }
}

// The sum of out times grad_out and of last_state times grad_last_state.
double objective(const Case& c, const Values& values) {
  Stored<double> data, parameters;
  store<double>(values, data, parameters);
  std::vector<double> out(c.batch * c.length * c.channels);
  std::vector<double> last_state(c.sequences() * c.channels * c.states);
  SelectiveScanParams<double> params;
  set_inputs<double>(c, data, parameters, params);
  params.out = {out.data(), c.length * c.channels, c.channels};
  params.last_state = last_state.data();
  selective_scan_cpu(params, 0, selective_scan_work_items(params));
  double sum = 0;
  for (std::size_t i = 0; i < out.size(); ++i) sum += out[i] * values.at("grad_out")[i];
  for (std::size_t i = 0; c.state && i < last_state.size(); ++i) {
    sum += last_state[i] * values.at("grad_last_state")[i];
  }
  return sum;
}

template <typename T>
Values gradients(const Case& c, const Values& values) {
  using Acc = AccumulateType<T>;
  Stored<T> data, grad_data;
  Stored<Acc> parameters, grad_parameters;
  store<T>(values, data, parameters);
  SelectiveScanBackwardParams<T> params;
  set_inputs<T>(c, data, parameters, params);
  params.batch = c.batch;
  const std::int64_t wide = c.channels;
  params.grad_out = {data["grad_out"].data(), c.length * wide, wide};
  params.grad_last_state = c.state ? parameters["grad_last_state"].data() : nullptr;
  const auto rows = [&](const char* name, std::int64_t width) {
    grad_data[name] = std::vector<T>(c.batch * c.length * width, from_double<T>(NAN));
    return Rows<T>{grad_data[name].data(), c.length * width, width};
  };
  const auto parameter = [&](bool wanted, const char* name) -> Acc* {
    if (!wanted) return nullptr;
    grad_parameters[name] = std::vector<Acc>(parameters[name].size(), Acc(NAN));
    return grad_parameters[name].data();
  };
  params.grad_u = rows("u", wide), params.grad_delta = rows("delta", wide);
  if (c.z) params.grad_z = rows("z", wide);
  params.grad_B = rows("B", c.states), params.grad_C = rows("C", c.states);
  params.grad_A = parameter(true, "A"), params.grad_D = parameter(c.D, "D");
  params.grad_delta_bias = parameter(c.delta_bias, "delta_bias");
  params.grad_initial_state = parameter(c.state, "initial_state");
  std::vector<Acc> scratch(selective_scan_backward_scratch(params), Acc(NAN));
  params.scratch = scratch.data();
  // In two ranges, the later one first.
  const auto in_two = [&](std::int64_t items, auto run) {
    run(params, items / 2, items);
    run(params, std::int64_t{0}, items / 2);
  };
  in_two(selective_scan_backward_work_items(params), selective_scan_backward_cpu<T>);
  in_two(c.batch * c.length, selective_scan_backward_sum_tokens_cpu<T>);
  in_two(c.channels, selective_scan_backward_sum_channels_cpu<T>);

  Values result;
  for (const auto& [name, found] : grad_data) result[name] = widen(found);
  for (const auto& [name, found] : grad_parameters) result[name] = widen(found);
  return result;
}

// Along a random direction, which touches every input.
void expect_slope(const Case& c, const Values& inputs, const Values& found) {
  constexpr double kStep = 1e-5;
  Values direction = random_inputs(c, 7), up = inputs, down = inputs;
  double slope = 0, size = 0;
  for (const auto& [name, gradient] : found) {
    ASSERT_EQ(gradient.size(), inputs.at(name).size()) << name;
    for (std::size_t i = 0; i < gradient.size(); ++i) {
      slope += gradient[i] * direction[name][i];
      size += std::abs(gradient[i] * direction[name][i]);
      up[name][i] += kStep * direction[name][i];
      down[name][i] -= kStep * direction[name][i];
    }
  }
  const double measured = (objective(c, up) - objective(c, down)) / (2 * kStep);
  EXPECT_NEAR(slope, measured, 1e-7 * (size + 1));
}

template <typename T>
void equals_slope() {
  for (Case c : kCases) {
    SCOPED_TRACE(c.name);
    Values inputs = random_inputs(c, 3);
    for (double& a : inputs["A"]) a = -std::exp(a);
    if (!c.delta_softplus) {
      for (const char* name : {"delta", "delta_bias"}) {
        for (double& delta : inputs[name]) delta = 0.3 * std::exp(delta);
      }
    }
    // As T holds them, so that float64 sees the same.
    Stored<T> data;
    Stored<AccumulateType<T>> parameters;
    store<T>(inputs, data, parameters);
    for (const auto& [name, stored] : data) inputs[name] = widen(stored);
    for (const auto& [name, stored] : parameters) inputs[name] = widen(stored);

    const Values expected = gradients<double>(c, inputs);
    expect_slope(c, inputs, expected);
    for (const auto& [name, actual] : gradients<T>(c, inputs)) {
      SCOPED_TRACE(name);
      double largest = 0;
      for (const double value : expected.at(name)) largest = std::max(largest, std::abs(value));
      const double rounding = data.contains(name) ? kRounding<T> : kRounding<AccumulateType<T>>;
      for (std::size_t i = 0; i < actual.size(); ++i) {
        ASSERT_NEAR(actual[i], expected.at(name)[i],
                    1.01 * rounding * std::abs(expected.at(name)[i]) +
                        64 * kRounding<AccumulateType<T>> * largest + kSmallest<T>)
            << i;
      }
    }
  }
}

using SelectiveScanBackward = OnEveryTarget;
SIMBA_TEST_TYPES(SelectiveScanBackward, EqualsSlope, equals_slope)
INSTANTIATE_TEST_SUITE_P(Target, SelectiveScanBackward, ::testing::ValuesIn(supported_targets()),
                         target_name);

}  // namespace
}  // namespace simba::kernels::testing
