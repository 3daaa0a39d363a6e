// A device server with functions of its own behind its methods, for the user's probes: with arguments of every kind,
// nested, called from a thread of its own, and passed by exceptions that are caught inside or outside of them.
#include <atomic>
#include <chrono>
#include <stdexcept>
#include <thread>

#include "serve.hpp"

#define OWN __attribute__((noinline, noclone))

namespace beam {

OWN long step(long number) {
  asm volatile("");
  if (number == 13) {
    throw std::runtime_error("bad luck");
  }
  if (number == 7 || number == 5) {
    Tango::Except::throw_exception("Beam_Step", "no step " + std::to_string(number), "beam::step");
  }
  return number + 1;
}

std::atomic<long> ticks{0};

// Outside of any request.
OWN void tick(const char *why) {
  std::string reason(why);
  ticks += static_cast<long>(reason.size());
}

template <typename T> OWN T scale(T value) {
  std::string text = std::to_string(value);
  return value * 2 + static_cast<T>(text.empty());
}

// Nothing in it that could be probed.
OWN long bare(long value) {
  asm volatile("" : "+r"(value));
  return value * 3;
}

} // namespace beam

class Beam : public TANGO_BASE_CLASS {
public:
  Beam(Tango::DeviceClass *cl, const std::string &name) : TANGO_BASE_CLASS(cl, name.c_str()) { init_device(); }
  void init_device() override { set_state(Tango::ON); }
  OWN long compute(int energy, const std::string &mode, bool fine);
  OWN void measure(Tango::Attribute &att);
  Tango::DevDouble level = 1;
};

long Beam::compute(int energy, const std::string &mode, bool fine) {
  long sum = fine ? -1 : 0;
  sum += beam::step(energy + (mode == "slow" ? 1 : 0));
  try {
    sum += beam::step(energy == 6 ? 7 : 100);
  } catch (const Tango::DevFailed &) {
    sum = -1000;
  }
  sum = beam::scale<long>(sum);
  if (sum > 1000) {
    sum = beam::bare(sum) - 1;
  }
  return sum;
}

void Beam::measure(Tango::Attribute &att) {
  level = static_cast<double>(beam::scale<long>(21));
  att.set_value(&level);
}

class EnergyAttr : public Tango::Attr {
public:
  EnergyAttr() : Tango::Attr("energy", Tango::DEV_DOUBLE, Tango::READ) {}
  void read(Tango::DeviceImpl *dev, Tango::Attribute &att) override { static_cast<Beam *>(dev)->measure(att); }
};

class Compute : public Tango::Command {
public:
  Compute() : Tango::Command("Compute", Tango::DEV_LONG, Tango::DEV_LONG, "", "", Tango::OPERATOR) {}
  CORBA::Any *execute(Tango::DeviceImpl *dev, const CORBA::Any &in) override {
    Tango::DevLong value = 0;
    extract(in, value);
    return insert(static_cast<Tango::DevLong>(
        static_cast<Beam *>(dev)->compute(value, value < 0 ? "backwards" : "forwards", value % 2 != 0)));
  }
};

class BeamClass : public Tango::DeviceClass {
public:
  explicit BeamClass(std::string &name) : Tango::DeviceClass(name) {}
  void command_factory() override { command_list.push_back(new Compute()); }
  void attribute_factory(std::vector<Tango::Attr *> &list) override { list.push_back(new EnergyAttr()); }
  void device_factory(const Tango::DevVarStringArray *names) override {
    for (unsigned long i = 0; i < names->length(); i++) {
      device_list.push_back(new Beam(this, (*names)[i].in()));
      export_device(device_list.back(), (*names)[i].in());
    }
  }
};

void Tango::DServer::class_factory() {
  static std::string name = "Beam";
  static std::thread clock([] {
    for (;;) {
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
      beam::tick("clock");
    }
  });
  add_class(new BeamClass(name));
}
