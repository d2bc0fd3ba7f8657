// What simba-eval ends with.
#pragma once

namespace simba::eval {

constexpr int kFailed = 1;
constexpr int kWrongInput = 2;
constexpr int kInterrupted = 130;  // 128 + SIGINT, as shells report it

}  // namespace simba::eval
