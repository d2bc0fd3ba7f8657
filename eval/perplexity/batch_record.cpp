#include "eval/perplexity/batch_record.h"

#include <nlohmann/json.hpp>

#include "eval/run/exact_number.h"

namespace simba::eval {
namespace {

using Json = nlohmann::ordered_json;

Json row_record(const RowScores& row) {
  Json nll = Json::array();
  Json kl = Json::array();
  Json same_top = Json::array();
  for (const WindowScore& window : row.windows) {
    nll.push_back(exact_number(window.nll));
    kl.push_back(exact_number(window.kl));
    same_top.push_back(window.same_top);
  }
  Json overlap = Json::array();
  for (const auto& [layer, cut] : row.overlap) overlap.push_back({layer, cut.kept, cut.recent});
  return {{"nll", nll},
          {"kl", kl},
          {"same_top", same_top},
          {"overlap", overlap},
          {"seconds", {row.prefill_seconds, row.continuation_seconds}}};
}

RowScores read_row_record(const Json& record) {
  RowScores row;
  for (std::size_t w = 0; w < record.at("nll").size(); ++w) {
    row.windows.push_back({read_exact_number(record.at("nll").at(w)),
                           read_exact_number(record.at("kl").at(w)),
                           record.at("same_top").at(w).get<std::int64_t>()});
  }
  for (const Json& cut : record.at("overlap")) {
    row.overlap[cut.at(0).get<std::int64_t>()] = {cut.at(1).get<std::int64_t>(),
                                                  cut.at(2).get<std::int64_t>()};
  }
  row.prefill_seconds = record.at("seconds").at(0).get<double>();
  row.continuation_seconds = record.at("seconds").at(1).get<double>();
  return row;
}

}  // namespace

Json batch_record(const std::vector<RowScores>& rows) {
  Json records = Json::array();
  for (const RowScores& row : rows) records.push_back(row_record(row));
  return {{"rows", records}};
}

std::vector<RowScores> read_batch_record(const Json& record) {
  std::vector<RowScores> rows;
  for (const Json& row : record.at("rows")) rows.push_back(read_row_record(row));
  return rows;
}

void add_scores(const RowScores& batch, RowScores& sum) {
  sum.windows.insert(sum.windows.end(), batch.windows.begin(), batch.windows.end());
  for (const auto& [layer, cut] : batch.overlap) {
    sum.overlap[layer].kept += cut.kept;
    sum.overlap[layer].recent += cut.recent;
  }
  sum.prefill_seconds += batch.prefill_seconds;
  sum.continuation_seconds += batch.continuation_seconds;
}

}  // namespace simba::eval
