#include "eval/run/unit_records.h"

#include <algorithm>
#include <numeric>
#include <utility>

namespace simba::eval {
namespace {

using Json = nlohmann::ordered_json;

double work_left(const Units& units, const Journal* journal) {
  double work = 0;
  for (std::size_t unit = 0; unit < units.count; ++unit) {
    if (!journal || !journal->records().contains(unit)) work += units.cost(unit);
  }
  return work;
}

}  // namespace

UnitRecords::UnitRecords(const Units& units, Journal* journal, bool live)
    : units_(units), journal_(journal), progress_(work_left(units, journal), live) {
  if (journal) records_ = journal->records();
}

std::vector<std::size_t> UnitRecords::left() const {
  const std::lock_guard lock(mutex_);
  std::vector<std::size_t> left;
  for (std::size_t unit = 0; unit < units_.count; ++unit) {
    if (!records_.contains(unit)) left.push_back(unit);
  }
  return left;
}

bool UnitRecords::complete() const {
  const std::lock_guard lock(mutex_);
  return records_.size() == units_.count;
}

void UnitRecords::keep(std::size_t unit, const Json& record) {
  const std::lock_guard lock(mutex_);
  // As it would be read from the journal, so that nothing depends on whether it was.
  const Json& kept = records_.emplace(unit, Json::parse(record.dump())).first->second;
  if (journal_) journal_->append(unit, kept);
  progress_.advance(units_.cost(unit) * (1 - shown_[unit]));
  shown_.erase(unit);
}

void UnitRecords::show(std::size_t unit, double done, const std::string& doing) {
  const std::lock_guard lock(mutex_);
  progress_.advance(units_.cost(unit) * (done - std::exchange(shown_[unit], done)));
  progress_.show(std::to_string(records_.size()) + "/" + std::to_string(units_.count) + " units",
                 units_.describe(unit) + ", " + doing);
}

std::string UnitRecords::kept() const {
  if (!journal_) return "";
  const std::lock_guard lock(mutex_);
  return std::to_string(records_.size()) + " of " + std::to_string(units_.count) +
         " units are finished and in " + journal_->path();
}

std::vector<Json> UnitRecords::take() {
  const std::lock_guard lock(mutex_);
  std::vector<Json> records;
  for (auto& [unit, record] : records_) records.push_back(std::move(record));
  records_.clear();
  return records;
}

}  // namespace simba::eval
