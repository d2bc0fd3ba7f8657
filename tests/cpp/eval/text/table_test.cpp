#include "eval/text/table.h"

#include <gtest/gtest.h>

#include <limits>

namespace simba::eval {
namespace {

TEST(Table, ColumnsAreAligned) {
  Table table;
  table.add_column("method", Table::Align::kLeft);
  table.add_column("nll");
  table.add_column("note", Table::Align::kLeft);
  table.add_row({"dense", "3.5", ""});
  table.add_gap();
  table.add_row({"a", "+0.1 ± 0.2", "x"});
  EXPECT_EQ(table.text(),
            "method         nll  note\n"
            "------------------------\n"
            "dense          3.5\n"
            "\n"
            "a       +0.1 ± 0.2  x\n");
}

TEST(Table, ARowMustFillIt) {
  Table table;
  table.add_column("one");
  EXPECT_THROW(table.add_row({"1", "2"}), std::logic_error);
}

TEST(Table, FixedDecimals) {
  EXPECT_EQ(fixed(33.275, 2), "33.27");  // the double below
  EXPECT_EQ(fixed(-0.5, 3), "-0.500");
  EXPECT_EQ(fixed(1e15, 0), "1000000000000000");
  EXPECT_EQ(fixed(std::numeric_limits<double>::quiet_NaN(), 2), "nan");
  EXPECT_EQ(fixed(-std::numeric_limits<double>::infinity(), 2), "-inf");
}

TEST(Table, NumbersForPeople) {
  EXPECT_EQ(significant(0.012345), "0.01235");
  EXPECT_EQ(significant(-123.456), "-123.5");
  EXPECT_EQ(significant(123456), "123456");
  EXPECT_EQ(significant(0), "0");
  EXPECT_EQ(percent(0.5384), "53.8%");
}

}  // namespace
}  // namespace simba::eval
