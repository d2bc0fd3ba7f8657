// JSON documents that accompany a checkpoint: config.json and the index of a sharded checkpoint.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

namespace simba {

// The object that a JSON file holds. Throws InputError where the file cannot be read, is no JSON
// object, is larger than 64 MiB, nests deeper than 32 levels or repeats a key of an object.
nlohmann::json read_json_object(const std::string& path);

}  // namespace simba
