#include "eval/scoring.h"

#include <ATen/Parallel.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/tensor.h>
#include <gtest/gtest.h>

#include <cmath>

namespace simba::eval {
namespace {

at::Tensor logs(const std::vector<double>& probabilities, double shift) {
  at::Tensor logits = at::empty({1, static_cast<std::int64_t>(probabilities.size())}, at::kDouble);
  for (std::size_t v = 0; v < probabilities.size(); ++v) {
    logits.data_ptr<double>()[v] = std::log(probabilities[v]) + shift;
  }
  return logits;
}

TEST(Scoring, NllOfKnownProbabilities) {
  for (const double shift : {0.0, 900.0, -900.0}) {
    const Predictions predictions(logs({0.5, 0.125, 0.375}, shift));
    EXPECT_EQ(predictions.rows(), 1);
    EXPECT_NEAR(predictions.nll(0, 0), std::log(2.0), 1e-12);
    EXPECT_NEAR(predictions.nll(0, 1), std::log(8.0), 1e-12);
    EXPECT_EQ(predictions.top(0), 0);
  }
}

TEST(Scoring, KlByHand) {
  const Predictions p(logs({0.5, 0.5, 0.0}, 3));
  const Predictions q(logs({0.25, 0.5, 0.25}, -8));
  EXPECT_NEAR(p.kl_divergence(q).front(), 0.5 * std::log(2.0), 1e-12);
  EXPECT_EQ(p.kl_divergence(p).front(), 0);
  // What q can never predict is lost without end.
  EXPECT_EQ(q.kl_divergence(p).front(), std::numeric_limits<double>::infinity());
}

TEST(Scoring, TheFirstOfEqualsIsTheTop) {
  EXPECT_EQ(Predictions(at::tensor({1.0f, 3.0f, 3.0f}).unsqueeze(0)).top(0), 1);
}

TEST(Scoring, RowsDependNeitherOnEachOtherNorOnThreads) {
  at::Tensor logits = at::empty({37, 1001}, at::kFloat);
  for (std::int64_t i = 0; i < logits.numel(); ++i) {
    logits.data_ptr<float>()[i] = static_cast<float>(10 * std::sin(0.37 * static_cast<double>(i)));
  }
  const int threads = at::get_num_threads();
  at::set_num_threads(1);
  const Predictions whole(logits);
  at::set_num_threads(3);
  const Predictions threaded(logits);
  for (std::int64_t row = 0; row < 37; ++row) {
    const Predictions alone(logits.narrow(0, row, 1));
    EXPECT_EQ(whole.nll(row, 500), alone.nll(0, 500));
    EXPECT_EQ(whole.nll(row, 500), threaded.nll(row, 500));
    EXPECT_EQ(whole.kl_divergence(threaded)[static_cast<std::size_t>(row)], 0);
  }
  at::set_num_threads(threads);
}

}  // namespace
}  // namespace simba::eval
