#include "eval/tasks/requests.h"

namespace simba::eval {

std::vector<Request> make_requests(const TaskConfig& task, const Example& example,
                                   const std::string& prefix) {
  std::vector<Request> requests;
  switch (task.kind) {
    case TaskKind::kChoices:
      for (const std::string& choice : example.continuations) {
        requests.push_back({prefix + example.contexts.front(), task.target_delimiter + choice});
      }
      break;
    case TaskKind::kContexts:
      for (const std::string& context : example.contexts) {
        requests.push_back(
            {prefix + context, task.target_delimiter + example.continuations.front()});
      }
      break;
    case TaskKind::kTarget:
      // The target brings its own delimiter: LAMBADA's begins with the blank it was split at.
      requests.push_back({prefix + example.contexts.front(), example.continuations.front()});
      break;
  }
  return requests;
}

}  // namespace simba::eval
