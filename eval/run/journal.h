// journal.jsonl of an output folder: what a run has computed so far, so that it can go on after a
// kill at any moment.
//
// Lines of JSON, each with a checksum over the rest of it (the first 16 digits of the SHA-256 of
// the object without "check"), each on the disk before the next is begun:
//   {"check":"…","format":"simba-eval journal 1","units":64,"settings":{…}}
//   {"check":"…","unit":0,"record":{…}}       one per finished unit, in the order of finishing
//   {"check":"…","results":"<sha256>"}        of results.json, once it is written
// A last line without its newline was cut off while it was written: it counts as not there, and a
// run that goes on cuts it off the file. Any other damage is refused.
#pragma once

#include <cstddef>
#include <map>
#include <nlohmann/json.hpp>
#include <string>

#include "eval/run/output_folder.h"

namespace simba::eval {

class Journal {
 public:
  // Opens, or begins, the journal of a folder and keeps other runs out until the object goes away.
  // Without --resume it begins anew, and the results of an earlier run (--force) are taken away.
  // settings: everything that can change a number or what a unit is. Throws InputError where
  // another run holds the journal, where it is damaged (with file and line), or where --resume
  // finds other settings (with the difference).
  Journal(const OutputFolder& folder, const nlohmann::ordered_json& settings, std::size_t units);
  ~Journal();
  Journal(const Journal&) = delete;
  Journal& operator=(const Journal&) = delete;

  const std::string& path() const { return path_; }
  std::size_t units() const { return units_; }
  // By unit, of this run and of those that it resumes.
  const std::map<std::size_t, nlohmann::ordered_json>& records() const { return records_; }

  // Returns once the record is on the disk. Throws std::runtime_error where it cannot be written.
  void append(std::size_t unit, nlohmann::ordered_json record);

  // Notes that results.json is written. results_sha256: of its text.
  void finish(const std::string& results_sha256);
  // The SHA-256 that finish() noted, by an earlier run; empty where none did.
  const std::string& finished() const { return finished_; }

 private:
  void read(const nlohmann::ordered_json& settings);
  void read_line(const nlohmann::ordered_json& body, const nlohmann::ordered_json& settings,
                 std::size_t number);
  void begin(const nlohmann::ordered_json& settings);
  void write_line(const nlohmann::ordered_json& body);

  std::string path_;
  std::size_t units_;
  int file_;
  bool empty_ = true;
  std::map<std::size_t, nlohmann::ordered_json> records_;
  std::string finished_;
};

}  // namespace simba::eval
