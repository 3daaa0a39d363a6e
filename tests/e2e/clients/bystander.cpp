// A plain C++ program with no Tango in it that throws and catches in a loop: nobody may put a breakpoint into it.
// usage: bystander            prints the number of throws of each 100 ms until SIGTERM
#include <chrono>
#include <csignal>
#include <cstdio>
#include <stdexcept>

static volatile sig_atomic_t stop;

__attribute__((noinline)) static void thrower(int n) {
  if (n) {
    throw std::runtime_error("bystander");
  }
}

int main() {
  signal(SIGTERM, [](int) { stop = 1; });
  unsigned long caught = 0;
  auto next = std::chrono::steady_clock::now() + std::chrono::milliseconds(100);
  while (!stop) {
    try {
      thrower(1);
    } catch (const std::exception &) {
      caught++;
    }
    if (caught % 64 == 0 && std::chrono::steady_clock::now() >= next) {
      std::printf("%lu\n", caught);
      std::fflush(stdout);
      caught = 0;
      next += std::chrono::milliseconds(100);
    }
  }
  return 0;
}
