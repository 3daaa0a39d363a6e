// A small library that carries the names of cppTango and nothing else of it, built twice with different code: the tests
// overwrite one build in place by the other, which no real library offers (one ABI, two layouts). It answers by plain
// arithmetic, so that one wrong byte in its code shows.
#include <string>

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

static unsigned long mix(const std::string &text, unsigned long seed) {
  for (unsigned char c : text) {
    seed = (seed ^ c) * 1099511628211UL;
#ifdef FAKE_B // other code at every offset behind this point, same result
    asm volatile("nop; nop; xchg %%ax, %%ax" ::: "memory");
#endif
  }
  return seed;
}

// As in the real library the function saves registers, calls others and may throw.
__attribute__((noinline)) static DeviceAttribute answer_of(const std::string &name, unsigned long seed) {
  DeviceAttribute answer{};
  for (unsigned i = 0; i < sizeof answer.bytes; i++) {
    seed = mix(name, seed + i);
    answer.bytes[i] = static_cast<char>('a' + seed % 26);
  }
  return answer;
}

DeviceAttribute DeviceProxy::read_attribute(std::string &name) {
#ifdef FAKE_B
  if (name.size() > 4096) {
    throw std::string("name too long");
  }
#endif
  DeviceAttribute first = answer_of(name, 1);
  if (name.empty()) {
    throw std::string("no name");
  }
  DeviceAttribute second = answer_of(name + "2", 2);
  for (unsigned i = 0; i < sizeof first.bytes; i += 2) {
    first.bytes[i] = second.bytes[i];
  }
  return first;
}

void DeviceProxy::ping() {
#ifdef FAKE_B
  asm volatile("nop" ::: "memory");
#endif
  pings += answer_of("ping", 3).bytes[0] != 0;
}

long Connection::command_inout(const std::string &name, long value) { return value + static_cast<long>(name.size()); }

} // namespace Tango
