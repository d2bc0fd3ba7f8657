#include "csrc/model/gpt_neox/rotary.h"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/ops/randn.h>
#include <gtest/gtest.h>

#include <cmath>

#include "csrc/model/packed_layout.h"

namespace simba {
namespace {

GptNeoXConfig config_with(std::int64_t rotary_dim) {
  GptNeoXConfig config;
  config.d_model = 20;
  config.n_head = 2;
  config.max_length = 1000;
  config.rotary_dim = rotary_dim;
  config.rotary_base = 50;
  return config;
}

at::Tensor heads() {
  return at::randn({3, 2, 10}, at::detail::createCPUGenerator(3), at::TensorOptions(at::kDouble));
}

TEST(RotaryEmbedding, TurnsPairsByTheirAngle) {
  const at::Tensor x = heads();
  const std::int64_t positions[] = {0, 7, 999};
  for (const std::int64_t rotary_dim : {2, 6, 10}) {
    const RotaryEmbedding rotary(config_with(rotary_dim), at::kDouble, at::kCPU);
    const at::Tensor turned =
        RotaryEmbedding::turn(x, rotary.at(make_index({0, 7, 999}, at::kCPU)));
    ASSERT_EQ(turned.sizes(), x.sizes());
    const auto in = x.accessor<double, 3>(), out = turned.accessor<double, 3>();
    const std::int64_t half = rotary_dim / 2;
    for (std::int64_t row = 0; row < 3; ++row) {
      for (std::int64_t h = 0; h < 2; ++h) {
        for (std::int64_t i = 0; i < half; ++i) {
          const double angle =
              static_cast<double>(positions[row]) *
              std::pow(50.0, -2.0 * static_cast<double>(i) / static_cast<double>(rotary_dim));
          const double first = in[row][h][i], second = in[row][h][i + half];
          EXPECT_NEAR(out[row][h][i], first * std::cos(angle) - second * std::sin(angle), 1e-12);
          EXPECT_NEAR(out[row][h][i + half], second * std::cos(angle) + first * std::sin(angle),
                      1e-12);
        }
        for (std::int64_t i = rotary_dim; i < 10; ++i) EXPECT_EQ(out[row][h][i], in[row][h][i]);
      }
    }
  }
}

TEST(RotaryEmbedding, KeepsTheTypeOfItsInput) {
  const at::Tensor positions = make_index({5, 6, 7}, at::kCPU);
  const RotaryEmbedding rotary(config_with(6), at::kBFloat16, at::kCPU);
  EXPECT_EQ(rotary.at(positions).cos.scalar_type(), at::kFloat);
  const at::Tensor turned = RotaryEmbedding::turn(heads().to(at::kBFloat16), rotary.at(positions));
  EXPECT_EQ(turned.scalar_type(), at::kBFloat16);
}

}  // namespace
}  // namespace simba
