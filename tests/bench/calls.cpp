// The measured client: COUNT calls one after the other, latencies to stdout.
// usage: calls DEVICE read|command NAME COUNT     "up" on stdout when connected; then one line of input = one round
// each round prints: median_ns p99_ns mean_ns cpu_ns_of_this_process
#include <algorithm>
#include <cstring>
#include <ctime>
#include <iostream>
#include <tango/tango.h>
#include <vector>

static int64_t clock_ns(clockid_t id) {
  timespec t{};
  clock_gettime(id, &t);
  return int64_t(t.tv_sec) * 1000000000 + t.tv_nsec;
}

static void call(Tango::DeviceProxy &proxy, bool read, std::string &name) {
  if (read) {
    Tango::DeviceAttribute att = proxy.read_attribute(name);
    if (att.has_failed()) {
      throw Tango::DevFailed(att.get_err_stack());
    }
  } else {
    Tango::DeviceData in;
    in << Tango::DevDouble(2.0);
    Tango::DeviceData out = proxy.command_inout(name, in);
  }
}

int main(int argc, char **argv) {
  if (argc != 5) {
    std::cerr << "usage: calls DEVICE read|command NAME COUNT\n";
    return 2;
  }
  bool read = !strcmp(argv[2], "read");
  std::string name = argv[3];
  size_t count = std::stoul(argv[4]);
  try {
    Tango::DeviceProxy proxy(argv[1]);
    call(proxy, read, name);
    std::cout << "up" << std::endl;
    std::vector<int64_t> took(count);
    for (std::string line; std::getline(std::cin, line);) {
      int64_t cpu = clock_ns(CLOCK_PROCESS_CPUTIME_ID), sum = 0;
      for (auto &one : took) {
        int64_t start = clock_ns(CLOCK_MONOTONIC);
        call(proxy, read, name);
        one = clock_ns(CLOCK_MONOTONIC) - start;
        sum += one;
      }
      cpu = clock_ns(CLOCK_PROCESS_CPUTIME_ID) - cpu;
      std::sort(took.begin(), took.end());
      std::cout << took[count / 2] << ' ' << took[count * 99 / 100] << ' ' << sum / int64_t(count) << ' ' << cpu
                << std::endl;
    }
  } catch (const Tango::DevFailed &e) {
    Tango::Except::print_exception(e);
    return 1;
  }
  return 0;
}
