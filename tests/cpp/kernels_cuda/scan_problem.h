// Inputs of selective_scan, and its definition in float64.
#pragma once

#include <cmath>
#include <cstdint>
#include <ostream>
#include <string>
#include <vector>

#include "kernels/selective_scan/selective_scan_cuda.h"
#include "tests/cpp/kernels_cuda/layout.h"

namespace simba::kernels::scan_problem {

// A base case; every row of the table differs from it in one respect.
struct Case {
  std::string name;
  Layout (*layout)() = [] { return Layout::batch_of(2, 63); };
  std::int64_t channels = 40;
  std::int64_t states = 16;
  Spacing spacing = {};
  bool D = true, z = true, delta_bias = true, softplus = true, initial_state = true;
  double delta_mean = -2, delta_deviation = 2;
};

inline void PrintTo(const Case& c, std::ostream* out) { *out << c.name; }

template <typename T>
struct Inputs {
  using Acc = AccumulateType<T>;

  Inputs(const Case& c, const Layout& layout, unsigned seed) {
    Random random(seed);
    const std::int64_t rows = layout.tokens();
    u = rounded<T>(random.normal(rows * c.channels));
    delta = rounded<T>(random.normal(rows * c.channels, c.delta_mean, c.delta_deviation));
    if (!c.softplus) delta = rounded<T>(random.uniform(rows * c.channels, 0, 0.5));
    if (c.z) z = rounded<T>(random.normal(rows * c.channels, 0, 2));
    B = rounded<T>(random.normal(rows * c.states));
    C = rounded<T>(random.normal(rows * c.states));
    A = rounded<Acc>(random.decay(c.channels * c.states));
    if (c.D) D = rounded<Acc>(random.normal(c.channels));
    if (c.delta_bias) delta_bias = rounded<Acc>(random.uniform(c.channels, 0, 0.5));
    if (c.initial_state) {
      initial_state = rounded<Acc>(random.normal(layout.count() * c.channels * c.states));
    }
  }

  std::vector<double> u, delta, z, B, C, A, D, delta_bias, initial_state;
};

struct Outputs {
  std::vector<double> out, last_state;
};

template <typename T>
Outputs reference(const Case& c, const Layout& layout, const Inputs<T>& in) {
  Outputs result;
  result.out.resize(layout.tokens() * c.channels);
  result.last_state = in.initial_state;
  result.last_state.resize(layout.count() * c.channels * c.states);
  for (std::int64_t s = 0; s < layout.count(); ++s) {
    for (std::int64_t d = 0; d < c.channels; ++d) {
      double* h = result.last_state.data() + (s * c.channels + d) * c.states;
      for (std::int64_t t = layout.begin(s); t < layout.end(s); ++t) {
        double dt = in.delta[t * c.channels + d] + (c.delta_bias ? in.delta_bias[d] : 0);
        if (c.softplus) dt = softplus(dt);
        const double u = in.u[t * c.channels + d];
        double y = c.D ? in.D[d] * u : 0;
        for (std::int64_t n = 0; n < c.states; ++n) {
          h[n] = std::exp(dt * in.A[d * c.states + n]) * h[n] + dt * in.B[t * c.states + n] * u;
          y += in.C[t * c.states + n] * h[n];
        }
        result.out[t * c.channels + d] = c.z ? y * silu(in.z[t * c.channels + d]) : y;
      }
    }
  }
  return result;
}

}  // namespace simba::kernels::scan_problem
