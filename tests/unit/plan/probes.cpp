// SPDX-License-Identifier: GPL-2.0-only
// probes.cpp: functions with names of every kind, for test_probes.c.
#include <string>
#include <vector>

#define OWN __attribute__((noinline, noclone))

volatile int sink;
OWN void work(const char *text) {
  sink = *text;
  asm volatile("" : : "r"(text) : "memory", "rbx", "r12");
}

struct MyDevice {
  OWN int compute(int energy, const std::string &mode);
  OWN int compute_all(const std::vector<int> &list) const;
  OWN bool operator()(int n);
  template <typename T> OWN T scaled(T value);
};
int MyDevice::compute(int energy, const std::string &mode) {
  work(mode.c_str());
  return energy + sink;
}
int MyDevice::compute_all(const std::vector<int> &list) const {
  work("all");
  return list.empty() ? 0 : sink;
}
bool MyDevice::operator()(int n) {
  work("call");
  return n > sink;
}
template <typename T> T MyDevice::scaled(T value) {
  work("scaled");
  return value + sink;
}
template int MyDevice::scaled<int>(int);

namespace {
OWN __attribute__((used)) long hidden(long n) {
  work("hidden");
  return n + sink;
}
} // namespace
extern "C" OWN void plain_c(void) {
  work("c");
  sink = 1;
}
extern "C" long call_hidden(long n) { return hidden(n) + 1; }
