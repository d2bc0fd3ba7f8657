#include "eval/text/json_text.h"

#include <gtest/gtest.h>

#include <limits>
#include <nlohmann/json.hpp>

namespace simba::eval {
namespace {

using Json = nlohmann::ordered_json;

TEST(JsonText, KeepsOrderAndPutsNumbersOnOneLine) {
  const Json value = {
      {"z", 0.1}, {"a", {1, 2}}, {"m", Json::array({{{"k", nullptr}}})}, {"e", Json::array()}};
  EXPECT_EQ(json_text(value),
            "{\n"
            "  \"z\": 0.1,\n"
            "  \"a\": [1, 2],\n"
            "  \"m\": [\n"
            "    {\n"
            "      \"k\": null\n"
            "    }\n"
            "  ],\n"
            "  \"e\": []\n"
            "}\n");
}

TEST(JsonText, NumbersReadBackTheSame) {
  for (const double number : {0.1, 1.0 / 3, 3.5064582098541234, 1e300, 5e-324, 123456789012345.0}) {
    EXPECT_EQ(Json::parse(json_text(Json(number))).get<double>(), number);
  }
  EXPECT_EQ(json_text(Json(0.1)), "0.1\n");
  EXPECT_EQ(json_text(Json(std::numeric_limits<double>::infinity())), "null\n");
}

}  // namespace
}  // namespace simba::eval
