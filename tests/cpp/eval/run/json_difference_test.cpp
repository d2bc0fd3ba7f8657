#include "eval/run/json_difference.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace simba::eval {
namespace {

std::string difference(const char* then, const char* now) {
  using Json = nlohmann::ordered_json;
  return json_difference(Json::parse(then), Json::parse(now));
}

TEST(JsonDifference, NamesThePath) {
  EXPECT_EQ(
      difference(R"({"a": {"b": [{"c": 1}, {"c": 2}]}})", R"({"a": {"b": [{"c": 1}, {"c": 3}]}})"),
      "a.b[1].c: 2 then, 3 now");
  EXPECT_EQ(difference(R"({"a": [1, 2]})", R"({"a": [1, 2, 3]})"), "a: [1,2] then, [1,2,3] now");
  EXPECT_EQ(difference(R"({"a": 1})", R"({"b": 1})"),
            "a: 1 then, nothing now; b: nothing then, 1 now");
}

TEST(JsonDifference, EqualDocumentsHaveNone) {
  EXPECT_EQ(difference(R"({"a": 1, "b": [2]})", R"({"b": [2], "a": 1})"), "");
}

TEST(JsonDifference, StopsAfterThreeFieldsAndCutsLongValues) {
  EXPECT_EQ(
      difference(R"({"a": 1, "b": 1, "c": 1, "d": 1})", R"({"a": 2, "b": 2, "c": 2, "d": 2})"),
      "a: 1 then, 2 now; b: 1 then, 2 now; c: 1 then, 2 now");
  const std::string value(200, 'x');
  const std::string text = json_difference(value, "y");
  EXPECT_LT(text.size(), 120u);
  EXPECT_NE(text.find("..."), std::string::npos);
}

}  // namespace
}  // namespace simba::eval
