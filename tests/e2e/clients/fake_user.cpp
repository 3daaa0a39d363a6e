// Uses the library of fake_tango.cpp: reads COUNT times and prints a digest of the answers, which must not depend on
// the build of the library nor on anybody who watches. usage: fake_user COUNT [PAUSE_MS]   "up" first, then the digest
#include <chrono>
#include <cstdio>
#include <string>
#include <thread>

namespace Tango {
struct DeviceAttribute {
  char bytes[256];
};
class Connection {
public:
  long command_inout(const std::string &name, long value);
};
class DeviceProxy : public Connection {
public:
  DeviceAttribute read_attribute(std::string &name);
  void ping();
  long pings = 0;
};
} // namespace Tango

int main(int argc, char **argv) {
  long count = argc > 1 ? std::stol(argv[1]) : 1;
  long pause = argc > 2 ? std::stol(argv[2]) : 0;
  Tango::DeviceProxy proxy;
  unsigned long digest = 0;
  long errors = 0;
  for (long i = 0; i < count; i++) {
    std::string name = i % 2 ? "attribute" + std::to_string(i) : "";
    try {
      for (char c : proxy.read_attribute(name).bytes) {
        digest = digest * 31 + static_cast<unsigned char>(c);
      }
    } catch (const std::string &) {
      errors++;
    }
    proxy.ping();
    if (i == 0) {
      std::puts("up");
      std::fflush(stdout);
    }
    if (pause) {
      std::this_thread::sleep_for(std::chrono::milliseconds(pause));
    }
  }
  std::printf("digest %lx errors %ld pings %ld\n", digest, errors, proxy.pings);
  return 0;
}
