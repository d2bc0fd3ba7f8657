#include "csrc/model/schedule.h"

#include <gtest/gtest.h>

#include "csrc/input_error.h"
#include "tests/cpp/refusal.h"

namespace simba {
namespace {

using Counts = std::vector<std::int64_t>;

TEST(Retention, ParsesDecimalsExactly) {
  EXPECT_EQ(Retention::parse("0.1").numerator, 1);
  EXPECT_EQ(Retention::parse("0.1").denominator, 10);
  EXPECT_EQ(Retention::parse(".25").text(), "0.25");
  EXPECT_EQ(Retention::parse("0.500").text(), "0.5");
  EXPECT_EQ(Retention::parse("1").text(), "1");
  EXPECT_EQ(Retention::parse("1.0").text(), "1");
  EXPECT_EQ(Retention::parse("0.123456789").text(), "0.123456789");
}

TEST(Retention, RefusesWhatIsNotInRange) {
  for (const char* text :
       {"0", "0.0", "1.1", "-0.1", "", ".", "abc", "1e-1", "0.1x", "0.1234567891", "nan"}) {
    try {
      Retention::parse(text);
      ADD_FAILURE() << "accepted '" << text << "'";
    } catch (const InputError& error) {
      EXPECT_NE(std::string(error.what()).find("(0, 1]"), std::string::npos) << error.what();
    }
  }
}

TEST(Retention, CeilingIsExactWhereDoublesAreNot) {
  // 0.07 * 100 is 7.000000000000001 in doubles.
  EXPECT_EQ(Retention::parse("0.07").ceil_of(100), 7);
  EXPECT_EQ(Retention::parse("0.1").ceil_of(30), 3);
  EXPECT_EQ(Retention::parse("0.1").ceil_of(31), 4);
  EXPECT_EQ(Retention::nearest(1.0 / 3).text(), "0.333333333");
}

TEST(Schedule, LinearFollowsThePaper) {
  // ceil(10 (1 - 0.9 l / 4)) for l = 0..4
  EXPECT_EQ(Schedule::parse("linear").tokens_per_layer(10, 5, Retention::parse("0.1")),
            (Counts{10, 8, 6, 4, 1}));
  const Counts counts =
      Schedule::parse("linear").tokens_per_layer(2048, 24, Retention::parse("0.1"));
  EXPECT_EQ(counts.front(), 2048);
  EXPECT_EQ(counts.back(), 205);
}

TEST(Schedule, LinearEqualsIntegerArithmeticEverywhere) {
  for (const std::int64_t percent : {1, 3, 7, 10, 33, 50, 70, 99}) {
    const Retention r = Retention::nearest(static_cast<double>(percent) / 100);
    for (std::int64_t T = 1; T < 400; T += 7) {
      const Counts counts = Schedule::parse("linear").tokens_per_layer(T, 9, r);
      for (std::int64_t l = 0; l < 9; ++l) {
        const std::int64_t numerator = T * (100 * 8 - (100 - percent) * l);
        EXPECT_EQ(counts[l], (numerator + 799) / 800) << T << " " << l << " " << percent;
        EXPECT_GE(counts[l], 1);
      }
    }
  }
}

TEST(Schedule, OneLayerKeepsAll) {
  EXPECT_EQ(Schedule::parse("linear").tokens_per_layer(7, 1, Retention::parse("0.1")), (Counts{7}));
  EXPECT_EQ(Schedule::parse("constant").tokens_per_layer(7, 1, Retention::parse("0.1")),
            (Counts{7}));
}

TEST(Schedule, NoLayersAreRefused) {
  for (const char* text : {"linear", "constant", "steps:1=0.5"}) {
    EXPECT_TRUE(test::refuses("n_layer: expected 1 or more, got 0", [&] {
      Schedule::parse(text).tokens_per_layer(7, 0, Retention::parse("0.1"));
    }));
  }
}

TEST(Schedule, ConstantAndSteps) {
  EXPECT_EQ(Schedule::parse("constant").tokens_per_layer(10, 3, Retention::parse("0.25")),
            (Counts{10, 3, 3}));
  EXPECT_EQ(Schedule::parse("steps:1=0.5,3=0.2").tokens_per_layer(10, 4, {}),
            (Counts{10, 5, 5, 2}));
  EXPECT_FALSE(Schedule::parse("steps:1=0.5").uses_retention());
}

TEST(Schedule, RefusesWhatItCannotRead) {
  for (const char* text : {"", "lin", "steps", "steps:", "steps:1", "steps:a=0.5", "steps:1=0",
                           "steps:2=0.5,1=0.4", "steps:1=0.5,2=0.6", "steps:1=0.5,"}) {
    EXPECT_THROW(Schedule::parse(text), InputError) << text;
  }
  EXPECT_THROW(Schedule::parse("steps:4=0.5").tokens_per_layer(10, 4, {}), InputError);
  EXPECT_THROW(Schedule::parse("steps:0=0.5").tokens_per_layer(10, 4, {}), InputError);
}

}  // namespace
}  // namespace simba
