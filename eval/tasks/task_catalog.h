// Which task files a --tasks list means.
#pragma once

#include <string>
#include <vector>

#include "eval/tasks/task_config.h"

namespace simba::eval {

// The folder with task files that belongs to this program: ../share/simba/configs/tasks beside the
// folder that the program lies in.
std::string default_task_folder();

// Each piece is the name of a task, found as FOLDER/NAME.toml, or the path of a file that ends in
// .toml. Throws InputError on an unknown name (listing those that are there), a task given twice,
// or anything wrong in a file.
std::vector<TaskConfig> find_tasks(const std::vector<std::string>& pieces,
                                   const std::string& folder);

}  // namespace simba::eval
