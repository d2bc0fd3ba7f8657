#include "eval/methods.h"

#include "tests/cpp/refusal.h"

namespace simba::eval {
namespace {

using test::refuses;

MethodGrid grid() {
  MethodGrid grid;
  grid.criteria = {"influence", "recent"};
  grid.decays = {"no_bias", "full"};
  grid.reductions = {"max"};
  grid.retentions = {Retention::parse("1"), Retention::parse("0.5")};
  grid.schedules = {Schedule()};
  return grid;
}

std::vector<std::string> names(const MethodGrid& grid) {
  std::vector<std::string> all;
  for (const Method& method : expand_methods(grid)) all.push_back(method.name());
  return all;
}

using Names = std::vector<std::string>;

TEST(Methods, OptionsMultiplyOnlyWhatReadsThem) {
  EXPECT_EQ(names(grid()),
            (Names{"dense", "influence(decay=no_bias,reduction=max) linear r=0.5",
                   "influence(decay=full,reduction=max) linear r=0.5", "recent linear r=0.5"}));
}

TEST(Methods, DenseIsThereWithoutARetentionOfOne) {
  MethodGrid only = grid();
  only.criteria = {"spaced"};
  only.retentions = {Retention::parse("0.1")};
  EXPECT_EQ(names(only), (Names{"dense", "spaced linear r=0.1"}));
  only.retentions = {Retention::parse("1")};
  EXPECT_EQ(names(only), (Names{"dense"}));
}

TEST(Methods, EqualOnesAppearOnce) {
  MethodGrid twice = grid();
  twice.criteria = {"recent", "recent"};
  twice.retentions = {Retention::parse("0.5"), Retention::parse("0.50")};
  EXPECT_EQ(names(twice), (Names{"dense", "recent linear r=0.5"}));
}

TEST(Methods, StepsReadNoRetention) {
  MethodGrid steps = grid();
  steps.criteria = {"recent"};
  steps.schedules = {Schedule::parse("steps:2=0.5"), Schedule::parse("constant")};
  const std::vector<Method> methods = expand_methods(steps);
  ASSERT_EQ(methods.size(), 3u);
  EXPECT_FALSE(methods[1].retention.has_value());
  EXPECT_EQ(methods[1].schedule, "steps:2=0.5");
  EXPECT_EQ(methods[2].retention->text(), "0.5");
}

TEST(Methods, FieldsHoldWhatMatters) {
  MethodGrid random = grid();
  random.criteria = {"random", "influence"};
  random.seed = 7;
  const std::vector<Method> methods = expand_methods(random);
  EXPECT_EQ(methods[1].seed, 7);
  EXPECT_FALSE(methods[1].decay.has_value());
  EXPECT_EQ(methods[1].label(), "random");
  EXPECT_EQ(methods[2].decay, "no_bias");
  EXPECT_FALSE(methods[2].seed.has_value());
  EXPECT_EQ(methods[2].label(), "influence no_bias max");
}

TEST(Methods, UnknownNamesAreRefused) {
  MethodGrid wrong = grid();
  wrong.criteria = {"importance"};
  EXPECT_TRUE(refuses("importance", [&] { expand_methods(wrong); }));
  wrong = grid();
  wrong.decays = {"half"};
  EXPECT_TRUE(refuses("half", [&] { expand_methods(wrong); }));
}

}  // namespace
}  // namespace simba::eval
