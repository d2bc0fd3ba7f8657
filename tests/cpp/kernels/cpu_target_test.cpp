#include "kernels/cpu_target.h"

#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <exception>
#include <stdexcept>

#include "tests/cpp/kernels/test_support.h"

namespace simba::kernels {
namespace {

// What a fresh process makes of SIMBA_CPU_TARGET=value: exit code 0 and the target's number on
// stderr, or 2 and the message.
[[noreturn]] void choose_with(const char* value) {
  setenv("SIMBA_CPU_TARGET", value, 1);
  try {
    std::fprintf(stderr, "target %d", static_cast<int>(cpu_target()));
  } catch (const std::exception& error) {
    std::fputs(error.what(), stderr);
    std::exit(2);
  }
  std::exit(0);
}

TEST(CpuTargetDeathTest, EnvironmentNamesTheTarget) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  const struct {
    const char* name;
    CpuTarget target;
  } kCases[] = {{"baseline", CpuTarget::kBaseline},
                {"avx2", CpuTarget::kAvx2},
                {"avx512", CpuTarget::kAvx512}};
  for (const auto& [name, target] : kCases) {
    if (cpu_target_supported(target)) {
      EXPECT_EXIT(choose_with(name), ::testing::ExitedWithCode(0),
                  "target " + std::to_string(static_cast<int>(target)));
    } else {
      EXPECT_EXIT(choose_with(name), ::testing::ExitedWithCode(2),
                  "SIMBA_CPU_TARGET: expected one of .*baseline on this processor, got '.*'");
    }
  }
}

TEST(CpuTargetDeathTest, UnknownNameIsAnError) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(choose_with("sse9"), ::testing::ExitedWithCode(2),
              "SIMBA_CPU_TARGET: expected one of .*baseline on this processor, got 'sse9'");
}

TEST(CpuTarget, ForceAndTakeBack) {
  const CpuTarget chosen = cpu_target();
  for (CpuTarget target : testing::supported_targets()) {
    force_cpu_target(target);
    EXPECT_EQ(cpu_target(), target);
  }
  force_cpu_target(std::nullopt);
  EXPECT_EQ(cpu_target(), chosen);
}

TEST(CpuTarget, ForcingAnUnsupportedTargetThrows) {
  for (CpuTarget target : {CpuTarget::kAvx2, CpuTarget::kAvx512}) {
    if (cpu_target_supported(target)) continue;
    EXPECT_THROW(force_cpu_target(target), std::runtime_error);
  }
  EXPECT_TRUE(cpu_target_supported(CpuTarget::kBaseline));
}

}  // namespace
}  // namespace simba::kernels
