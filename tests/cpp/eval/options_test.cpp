#include "eval/options.h"

#include <ATen/Context.h>

#include "tests/cpp/refusal.h"

namespace simba::eval {
namespace {

using test::refuses;

TEST(Options, Lists) {
  EXPECT_EQ(split_list("--x", "a,b"), (std::vector<std::string>{"a", "b"}));
  for (const char* text : {"", "a,", ",a", "a,,b"}) {
    EXPECT_TRUE(
        refuses("--x: expected values separated by commas", [&] { split_list("--x", text); }));
  }
}

TEST(Options, Counts) {
  EXPECT_EQ(parse_counts("--context", "2048,512"), (std::vector<std::int64_t>{2048, 512}));
  for (const char* text : {"0", "-3", "1.5", "x", "99999999999999999999"}) {
    EXPECT_TRUE(refuses("--context: expected integers of at least 1, got '" + std::string(text),
                        [&] { parse_counts("--context", text); }));
  }
  EXPECT_TRUE(refuses("--context: 8 is given twice", [] { parse_counts("--context", "8,9,8"); }));
  EXPECT_TRUE(refuses("at least 1, got 0", [] { check_at_least("--score", 0, 1); }));
}

TEST(Options, Dtypes) {
  for (const char* name : {"float32", "float64", "bfloat16", "float16"}) {
    EXPECT_EQ(dtype_name(parse_dtype(name)), name);
  }
  EXPECT_TRUE(refuses("expected one of float32, float64, bfloat16, float16, got 'fp8'",
                      [] { parse_dtype("fp8"); }));
}

TEST(Options, Devices) {
  EXPECT_EQ(parse_device("cpu"), at::Device(at::kCPU));
  for (const char* text : {"gpu", "cuda:", "cuda:-1", "cuda:x", "cpu:0"}) {
    EXPECT_TRUE(refuses("--device: expected cpu, cuda or cuda:INDEX", [&] { parse_device(text); }));
  }
  if (at::hasCUDA()) {
    EXPECT_EQ(parse_device("cuda"), at::Device(at::kCUDA, 0));
    EXPECT_TRUE(refuses("CUDA devices present", [] { parse_device("cuda:99"); }));
  } else {
    EXPECT_TRUE(refuses("--device cuda: no CUDA device", [] { parse_device("cuda"); }));
  }
}

}  // namespace
}  // namespace simba::eval
