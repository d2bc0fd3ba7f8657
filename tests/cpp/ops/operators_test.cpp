// The operator library as a C++ program meets it: linked, never loaded by hand, called through the
// dispatcher from classic LibTorch. What the operators compute is tested from Python.
#include <ATen/Parallel.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/randn.h>
#include <gtest/gtest.h>

#include <string>
#include <tuple>
#include <vector>

#include "csrc/ops/anchor.h"

#ifdef TORCH_TARGET_VERSION
#error "simba_ops passes the stable ABI's settings on to those who link it"
#endif

namespace {

[[maybe_unused]] const volatile int kKeepOperators = simba_ops_anchor();

using OptionalTensor = std::optional<at::Tensor>;

auto selective_scan_operator() {
  using Signature = std::tuple<at::Tensor, at::Tensor>(
      const at::Tensor&, const at::Tensor&, const at::Tensor&, const at::Tensor&, const at::Tensor&,
      const OptionalTensor&, const OptionalTensor&, const OptionalTensor&, const OptionalTensor&,
      const OptionalTensor&, bool);
  return c10::Dispatcher::singleton()
      .findSchemaOrThrow("simba::selective_scan", "")
      .typed<Signature>();
}

auto influence_scores_operator() {
  using Signature = at::Tensor(const at::Tensor&, const at::Tensor&, const at::Tensor&,
                               const at::Tensor&, const at::Tensor&, const OptionalTensor&,
                               const OptionalTensor&, c10::string_view, c10::string_view);
  return c10::Dispatcher::singleton()
      .findSchemaOrThrow("simba::influence_scores", "")
      .typed<Signature>();
}

struct Inputs {
  at::Tensor u = at::randn({2, 129, 200});
  at::Tensor delta = at::randn({2, 129, 200});
  at::Tensor A = -at::randn({200, 16}).abs();
  at::Tensor B = at::randn({2, 129, 16});
  at::Tensor C = at::randn({2, 129, 16});
};

class Threads {
 public:
  explicit Threads(int count) : before_(at::get_num_threads()) { at::set_num_threads(count); }
  ~Threads() { at::set_num_threads(before_); }

 private:
  int before_;
};

TEST(Operators, AreAllRegisteredForTheCpu) {
  const std::vector<std::pair<std::string, std::string>> names = {
      {"simba::add_norm", ""},       {"simba::causal_conv1d", ""},
      {"simba::gate", ""},           {"simba::influence_scores", ""},
      {"simba::select_tokens", ""},  {"simba::select_tokens", "packed"},
      {"simba::selective_scan", ""}, {"simba::selective_state_update", ""},
  };
  for (const auto& [name, overload] : names) {
    const auto op = c10::Dispatcher::singleton().findSchema({name, overload});
    ASSERT_TRUE(op.has_value()) << name << "." << overload;
    EXPECT_TRUE(op->hasKernelForDispatchKey(c10::DispatchKey::CPU)) << name << "." << overload;
  }
}

TEST(Operators, ResultsDoNotDependOnTheNumberOfThreads) {
  const Inputs in;
  const auto scan = selective_scan_operator();
  const auto score = influence_scores_operator();
  std::vector<at::Tensor> expected;
  for (const int threads : {1, 2, 3, 8}) {
    const Threads set(threads);
    const auto [out, last_state] =
        scan.call(in.u, in.delta, in.A, in.B, in.C, {}, {}, {}, {}, {}, true);
    const at::Tensor scores = score.call(in.u, in.delta, in.A, in.B, in.C, {}, {}, "full", "l2");
    if (expected.empty()) expected = {out, last_state, scores};
    EXPECT_TRUE(at::equal(out, expected[0])) << threads << " threads";
    EXPECT_TRUE(at::equal(last_state, expected[1])) << threads << " threads";
    EXPECT_TRUE(at::equal(scores, expected[2])) << threads << " threads";
  }
}

TEST(Operators, AWrongArgumentIsOneLineThatNamesIt) {
  const Inputs in;
  const auto scan = selective_scan_operator();
  try {
    scan.call(in.u, in.delta, in.A, in.B.narrow(1, 0, 100), in.C, {}, {}, {}, {}, {}, true);
    FAIL() << "accepted";
  } catch (const std::invalid_argument& error) {
    EXPECT_STREQ(error.what(),
                 "selective_scan: B must be (B, L, N) = (2, 129, 16), got (2, 100, 16)");
  }
}

}  // namespace
