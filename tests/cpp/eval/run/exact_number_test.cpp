#include "eval/run/exact_number.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <random>

namespace simba::eval {
namespace {

double through_text(double value) {
  return read_exact_number(nlohmann::ordered_json::parse(exact_number(value).dump()));
}

std::uint64_t bits(double value) { return std::bit_cast<std::uint64_t>(value); }

TEST(ExactNumber, SurvivesTextToTheLastBit) {
  std::mt19937_64 random(1);
  for (int i = 0; i < 20000; ++i) {
    const double value = std::bit_cast<double>(random());
    if (!std::isfinite(value)) continue;
    EXPECT_EQ(bits(through_text(value)), bits(value));
  }
  for (const double value : {0.0, -0.0, 1.0, 5e-324, std::numeric_limits<double>::max()}) {
    EXPECT_EQ(bits(through_text(value)), bits(value));
  }
}

TEST(ExactNumber, SoDoesWhatIsNotFinite) {
  const double infinity = std::numeric_limits<double>::infinity();
  EXPECT_EQ(through_text(infinity), infinity);
  EXPECT_EQ(through_text(-infinity), -infinity);
  EXPECT_TRUE(std::isnan(through_text(std::nan(""))));
}

}  // namespace
}  // namespace simba::eval
