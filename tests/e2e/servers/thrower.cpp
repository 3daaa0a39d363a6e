// A C++ device that fails in every way a device can: what passes the tracer's probes as an exception must pass them
// unharmed. It also calls other devices from inside its commands, and sleeps.
#include <pthread.h>
#include <stdexcept>
#include <sstream>
#include <unistd.h>

#include "serve.hpp"

namespace {

class Thrower : public TANGO_BASE_CLASS {
public:
  Thrower(Tango::DeviceClass *cl, const std::string &name) : TANGO_BASE_CLASS(cl, name.c_str()) { init_device(); }
  void init_device() override { set_state(Tango::ON); }
  void read_number(Tango::Attribute &att) { att.set_value(&number); }
  Tango::DevDouble number = 42.0;
};

Thrower *thrower(Tango::DeviceImpl *dev) { return static_cast<Thrower *>(dev); }

// ---- attributes

class NumberAttr : public Tango::Attr {
public:
  NumberAttr() : Tango::Attr("number", Tango::DEV_DOUBLE, Tango::READ_WRITE) {}
  void read(Tango::DeviceImpl *dev, Tango::Attribute &att) override { thrower(dev)->read_number(att); }
  void write(Tango::DeviceImpl *dev, Tango::WAttribute &att) override {
    Tango::DevDouble value = 0;
    att.get_write_value(value);
    if (value < 0) {
      Tango::Except::throw_exception("Thrower_Negative", "only positive numbers", "NumberAttr::write");
    }
    thrower(dev)->number = value;
  }
};

class BadAttr : public Tango::Attr {
public:
  BadAttr() : Tango::Attr("bad", Tango::DEV_DOUBLE, Tango::READ) {}
  void read(Tango::DeviceImpl *, Tango::Attribute &) override {
    Tango::Except::throw_exception("Thrower_BadRead", "this attribute always fails", "BadAttr::read");
  }
};

class SlowAttr : public Tango::Attr {
public:
  SlowAttr() : Tango::Attr("slow", Tango::DEV_DOUBLE, Tango::READ) {}
  void read(Tango::DeviceImpl *dev, Tango::Attribute &att) override {
    usleep(20000);
    thrower(dev)->read_number(att);
  }
};

// ---- commands: one function each, long in, long out

using LongFunction = Tango::DevLong (*)(Tango::DevLong);

class LongCommand : public Tango::Command {
public:
  LongCommand(const char *name, LongFunction f)
      : Tango::Command(name, Tango::DEV_LONG, Tango::DEV_LONG, "in", "out", Tango::OPERATOR), function(f) {}
  CORBA::Any *execute(Tango::DeviceImpl *, const CORBA::Any &in) override {
    Tango::DevLong value = 0;
    extract(in, value);
    return insert(function(value));
  }

private:
  LongFunction function;
};

Tango::DevLong twice(Tango::DevLong n) { return 2 * n; }

Tango::DevLong throw_std(Tango::DevLong n) { throw std::runtime_error("std error " + std::to_string(n)); }

Tango::DevLong throw_dev(Tango::DevLong n) {
  Tango::Except::throw_exception("Thrower_Refused", "refused " + std::to_string(n), "Thrower::throw_dev");
  return 0;
}

Tango::DevLong throw_int(Tango::DevLong n) { throw static_cast<int>(n); }

// Throws through several frames and catches: the caller must see a plain success.
Tango::DevLong catch_inside(Tango::DevLong n) {
  Tango::DevLong sum = 0;
  for (Tango::DevLong i = 0; i < 3; i++) {
    try {
      throw_std(n);
    } catch (const std::exception &) {
      sum += n;
    }
    try {
      throw_dev(n);
    } catch (const Tango::DevFailed &) {
      sum += n;
    }
  }
  return sum;
}

Tango::DevLong rethrow_dev(Tango::DevLong n) {
  try {
    return throw_dev(n);
  } catch (Tango::DevFailed &e) {
    Tango::Except::re_throw_exception(e, "Thrower_Again", "refused again", "Thrower::rethrow_dev");
  }
  return 0;
}

Tango::DevLong rethrow_plain(Tango::DevLong n) {
  try {
    return throw_dev(n);
  } catch (...) {
    throw;
  }
}

// A forced unwind (pthread_cancel) passes a catch (...) as a foreign exception: no C++ header behind it.
void *cancelled_thread(void *) {
  std::string guard(64, 'x'); // its destructor runs in the unwind
  try {
    for (;;) {
      pause();
    }
  } catch (...) {
    throw;
  }
  return nullptr;
}

Tango::DevLong cancel_thread(Tango::DevLong n) {
  pthread_t thread;
  void *result = nullptr;
  if (pthread_create(&thread, nullptr, cancelled_thread, nullptr) != 0) {
    return -1;
  }
  pthread_cancel(thread);
  pthread_join(thread, &result);
  return result == PTHREAD_CANCELED ? n : -2;
}

Tango::DevLong sleep_ms(Tango::DevLong n) {
  usleep(static_cast<useconds_t>(n) * 1000);
  return n;
}

struct {
  const char *name;
  LongFunction function;
} const long_commands[] = {
    {"Twice", twice},
    {"ThrowStd", throw_std},
    {"ThrowDev", throw_dev},
    {"ThrowInt", throw_int},
    {"CatchInside", catch_inside},
    {"RethrowDev", rethrow_dev},
    {"RethrowPlain", rethrow_plain},
    {"CancelThread", cancel_thread},
    {"SleepMs", sleep_ms},
};

// Calls another device from inside a command: "DEVICE read|command NAME". The proxies stay: the second call of a
// thread makes one request only.
class Forward : public Tango::Command {
public:
  Forward() : Tango::Command("Forward", Tango::DEV_STRING, Tango::DEV_STRING, "what", "answer", Tango::OPERATOR) {}
  CORBA::Any *execute(Tango::DeviceImpl *, const CORBA::Any &in) override {
    Tango::DevString text = nullptr;
    extract(in, text);
    std::istringstream words(text);
    std::string device, what, name;
    words >> device >> what >> name;
    omni_mutex_lock guard(lock);
    auto found = proxies.find(device);
    if (found == proxies.end()) {
      found = proxies.emplace(device, new Tango::DeviceProxy(device)).first;
    }
    if (what == "read") {
      Tango::DeviceAttribute answer = found->second->read_attribute(name);
      Tango::DevDouble value = 0;
      answer >> value;
    } else {
      found->second->command_inout(name);
    }
    return insert(std::string("done"));
  }

private:
  using Tango::Command::insert;
  CORBA::Any *insert(const std::string &text) {
    CORBA::Any *any = new CORBA::Any();
    *any <<= text.c_str();
    return any;
  }
  omni_mutex lock;
  std::map<std::string, Tango::DeviceProxy *> proxies;
};

class ThrowerClass : public Tango::DeviceClass {
public:
  explicit ThrowerClass(std::string name) : Tango::DeviceClass(name) {}

protected:
  void command_factory() override {
    for (const auto &row : long_commands) {
      command_list.push_back(new LongCommand(row.name, row.function));
    }
    command_list.push_back(new Forward());
  }
  void attribute_factory(std::vector<Tango::Attr *> &list) override {
    list.push_back(new NumberAttr());
    list.push_back(new BadAttr());
    list.push_back(new SlowAttr());
  }
  void device_factory(const Tango::DevVarStringArray *names) override {
    for (CORBA::ULong i = 0; i < names->length(); i++) {
      auto *dev = new Thrower(this, std::string((*names)[i].in()));
      device_list.push_back(dev);
      if (Tango::Util::_UseDb) {
        export_device(dev);
      } else {
        export_device(dev, (*names)[i].in());
      }
    }
  }
};

} // namespace

void Tango::DServer::class_factory() { add_class(new ThrowerClass("Thrower")); }
