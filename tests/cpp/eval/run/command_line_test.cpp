#include "eval/run/command_line.h"

#include <gtest/gtest.h>

namespace simba::eval {
namespace {

TEST(CommandLine, QuotesWhatAShellWouldChange) {
  EXPECT_EQ(shell_line({"simba-eval", "--data", "a b", "it's", "", "r=0.5,0.1"}),
            R"(simba-eval --data 'a b' 'it'\''s' '' r=0.5,0.1)");
}

TEST(CommandLine, ResumesInsteadOfReplacing) {
  EXPECT_EQ(resuming_line({"simba-eval", "--force", "--out", "x"}), "simba-eval --out x --resume");
  EXPECT_EQ(resuming_line({"simba-eval", "--resume", "--out", "x"}), "simba-eval --resume --out x");
}

}  // namespace
}  // namespace simba::eval
