#include "eval/run/progress.h"

#include <gtest/gtest.h>

namespace simba::eval {
namespace {

TEST(Progress, SaysWhatIsDoneAndLeft) {
  EXPECT_EQ(progress_line("12/256 windows", 0.25, 62, "recent", 100),
            "12/256 windows  25.0 %  elapsed 1:02  left 3:06  recent");
  EXPECT_EQ(progress_line("8/9", 0.5, 3661, "x", 100),
            "8/9  50.0 %  elapsed 1:01:01  left 1:01:01  x");
}

TEST(Progress, GuessesNothingBeforeTheStart) {
  EXPECT_EQ(progress_line("0/4 windows", 0, 0, "dense", 100),
            "0/4 windows  0.0 %  elapsed 0:00  dense");
}

TEST(Progress, FitsTheTerminal) {
  EXPECT_EQ(progress_line("12/256 windows", 0.25, 62, "recent", 10), "12/256 win");
}

TEST(Progress, IsSilentWhereItIsNotLive) {
  testing::internal::CaptureStderr();
  {
    Progress progress(1, false);
    progress.show("0/1", "dense");
  }
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
}

TEST(Progress, TakesItsLineAway) {
  testing::internal::CaptureStderr();
  {
    Progress progress(4, true);
    progress.show("0/4", "dense");
    progress.show("1/4", "dense");  // too soon to be drawn
  }
  const std::string drawn = testing::internal::GetCapturedStderr();
  EXPECT_EQ(drawn, "\r\x1b[K0/4  0.0 %  elapsed 0:00  dense\r\x1b[K");
}

}  // namespace
}  // namespace simba::eval
