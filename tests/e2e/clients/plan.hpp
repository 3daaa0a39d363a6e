// The plan that a client carries out and the log of what it got; the Python client (mix.py) has the same two formats.
// plan line: thread TAB operation TAB device TAB name TAB type TAB argument
// log line:  thread TAB tid TAB number TAB operation TAB device TAB name TAB start ns TAB end ns TAB reason TAB answer
//            times are CLOCK_REALTIME; reason is empty for a success, else the reason of the first DevError
#pragma once
#include <cstdint>
#include <ctime>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

struct Call {
  std::string operation, device, name, type, argument;
};

using Plan = std::vector<std::vector<Call>>; // by thread

inline int64_t now_ns() {
  timespec t{};
  clock_gettime(CLOCK_REALTIME, &t);
  return int64_t(t.tv_sec) * 1000000000 + t.tv_nsec;
}

inline Plan read_plan(const char *path) {
  Plan plan;
  std::ifstream file(path);
  std::string line;
  while (std::getline(file, line)) {
    std::istringstream fields(line);
    std::string thread;
    Call call;
    std::getline(fields, thread, '\t');
    std::getline(fields, call.operation, '\t');
    std::getline(fields, call.device, '\t');
    std::getline(fields, call.name, '\t');
    std::getline(fields, call.type, '\t');
    std::getline(fields, call.argument, '\t');
    size_t number = std::stoul(thread);
    if (plan.size() <= number) {
      plan.resize(number + 1);
    }
    plan[number].push_back(call);
  }
  return plan;
}
