// A bystander that does nothing but switch: two processes on one CPU, which pass a byte to and fro through pipes.
// usage: switches CPU COUNT     "up" on stdout; then one line of input = one round, which prints the ns of one switch: CPU
// time of both, which other programs on that CPU cannot lengthen, the least of ten parts of the round
#include <algorithm>
#include <cstdint>
#include <ctime>
#include <iostream>
#include <sched.h>
#include <string>
#include <sys/prctl.h>
#include <unistd.h>

static int64_t clock_ns(clockid_t clock) {
  timespec t{};
  clock_gettime(clock, &t);
  return int64_t(t.tv_sec) * 1000000000 + t.tv_nsec;
}

static bool pass(int in, int out) {
  char byte = 0;
  return read(in, &byte, 1) == 1 && write(out, &byte, 1) == 1;
}

int main(int argc, char **argv) {
  int there[2], back[2];
  if (argc != 3 || pipe(there) || pipe(back)) {
    std::cerr << "usage: switches CPU COUNT\n";
    return 2;
  }
  const long count = std::stol(argv[2]);
  cpu_set_t cpus;
  CPU_ZERO(&cpus);
  CPU_SET(std::stoul(argv[1]), &cpus);
  if (sched_setaffinity(0, sizeof(cpus), &cpus)) {
    return 1;
  }
  const pid_t child = fork();
  if (!child) {
    prctl(PR_SET_PDEATHSIG, 9);
    close(there[1]);
    while (pass(there[0], back[1])) {
    }
    _exit(0);
  }
  clockid_t other;
  if (clock_getcpuclockid(child, &other)) {
    return 1;
  }
  const auto used = [other] { return clock_ns(CLOCK_PROCESS_CPUTIME_ID) + clock_ns(other); };
  std::cout << "up" << std::endl;
  for (std::string line; std::getline(std::cin, line);) {
    int64_t least = INT64_MAX;
    for (int part = 0; part < 10; part++) {
      const int64_t begin = used();
      for (long i = 0; i < count / 10; i++) {
        char byte = 1;
        if (write(there[1], &byte, 1) != 1 || read(back[0], &byte, 1) != 1) {
          return 1;
        }
      }
      least = std::min(least, (used() - begin) / (2 * (count / 10)));
    }
    std::cout << least << std::endl;
  }
  return 0;
}
