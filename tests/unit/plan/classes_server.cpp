// A device server in all the ways that people write one.
#include "classes.hpp"
#include <stdexcept>

using Tango::work;

// ---- as Pogo writes it: attribute classes that jump to a virtual method of the device, in a namespace of its own
namespace Pogo_ns {
class Pogo : public Tango::Device_5Impl {
public:
  Pogo() : Device_5Impl("pogo") { Pogo::init_device(); }
  void init_device() override;
  void delete_device() override;
  void always_executed_hook() override;
  void read_attr_hardware(std::vector<long> &) override {}
  virtual void read_level(Tango::Attribute &);
  virtual void write_level(Tango::WAttribute &);
  virtual bool is_level_allowed(Tango::AttReqType);
  virtual void read_dynamic(Tango::Attribute &);
  virtual bool is_dynamic_allowed(Tango::AttReqType) { return true; }
  virtual bool is_either_allowed(Tango::AttReqType);
  virtual CORBA::Any *go(const CORBA::Any &);
  long level = 0;
};
void Pogo::init_device() {
  work(100);
  level = Tango::work_done;
}
void Pogo::delete_device() {
  work(101);
  level = 0;
}
void Pogo::always_executed_hook() {
  work(102);
  level++;
}
void Pogo::read_level(Tango::Attribute &att) {
  work(103);
  att.set_value(level + 1);
}
void Pogo::write_level(Tango::WAttribute &att) {
  work(104);
  level = att.value;
}
bool Pogo::is_level_allowed(Tango::AttReqType type) {
  work(105);
  return level + type > 7;
}
void Pogo::read_dynamic(Tango::Attribute &att) {
  work(106);
  if (level < 0) {
    throw std::runtime_error("negative");
  }
  att.set_value(2 * level);
}
bool Pogo::is_either_allowed(Tango::AttReqType type) {
  work(108);
  return level + type > 8;
}
CORBA::Any *Pogo::go(const CORBA::Any &in) {
  work(in.value);
  return new CORBA::Any{level};
}

class levelAttrib : public Tango::Attr {
public:
  levelAttrib() : Attr("level") {}
  ~levelAttrib() override {}
  void read(Tango::DeviceImpl *dev, Tango::Attribute &att) override { static_cast<Pogo *>(dev)->read_level(att); }
  void write(Tango::DeviceImpl *dev, Tango::WAttribute &att) override { static_cast<Pogo *>(dev)->write_level(att); }
  bool is_allowed(Tango::DeviceImpl *dev, Tango::AttReqType ty) override {
    return static_cast<Pogo *>(dev)->is_level_allowed(ty);
  }
};
class dynamicAttrib : public Tango::SpectrumAttr {
public:
  explicit dynamicAttrib(const char *name) : SpectrumAttr(name) {}
  void read(Tango::DeviceImpl *dev, Tango::Attribute &att) override { static_cast<Pogo *>(dev)->read_dynamic(att); }
  bool is_allowed(Tango::DeviceImpl *dev, Tango::AttReqType ty) override {
    return static_cast<Pogo *>(dev)->is_dynamic_allowed(ty);
  }
};
// two that ask the same method: it is not told about which of them
class upperAttrib : public Tango::Attr {
public:
  upperAttrib() : Attr("upper") {}
  bool is_allowed(Tango::DeviceImpl *dev, Tango::AttReqType ty) override {
    return static_cast<Pogo *>(dev)->is_either_allowed(ty);
  }
};
class lowerAttrib : public Tango::Attr {
public:
  lowerAttrib() : Attr("lower") {}
  bool is_allowed(Tango::DeviceImpl *dev, Tango::AttReqType ty) override {
    return static_cast<Pogo *>(dev)->is_either_allowed(ty);
  }
};
class GoClass : public Tango::Command {
public:
  GoClass() : Command("Go") {}
  CORBA::Any *execute(Tango::DeviceImpl *dev, const CORBA::Any &in) override {
    work(107);
    CORBA::Any *out = static_cast<Pogo *>(dev)->go(in);
    work(out->value);
    return out;
  }
};
class PogoClass : public Tango::DeviceClass {
public:
  PogoClass() : DeviceClass("Pogo") {}
  void command_factory() override;
  void attribute_factory(std::vector<Tango::Attr *> &list) override;
};
void PogoClass::command_factory() {
  Tango::Command *go = new GoClass;
  work(go->name.size());
}
void PogoClass::attribute_factory(std::vector<Tango::Attr *> &list) {
  list.push_back(new levelAttrib);
  list.push_back(new dynamicAttrib("a"));
  list.push_back(new upperAttrib);
  list.push_back(new lowerAttrib);
  work(list.size());
}
} // namespace Pogo_ns

// ---- by hand: no namespace or an unnamed one, further bases before Tango's, a class on top of another
struct Helper {
  virtual ~Helper() { work(200); }
  virtual void help() { work(201); }
  long words[3] = {1, 2, 3};
};

class Hand : public Helper, public Tango::Device_5Impl {
public:
  Hand() : Device_5Impl("hand") {}
  void init_device() override;
  Tango::DevState dev_state() override;
  void signal_handler(long n) override;
};
void Hand::init_device() {
  work(210);
  words[0] = Tango::work_done;
}
Tango::DevState Hand::dev_state() {
  work(211);
  return words[1] > 3 ? Tango::ON : Tango::OFF;
}
void Hand::signal_handler(long n) {
  work(212);
  words[2] = n;
}

namespace {
class Upper : public Tango::Device_5Impl {
public:
  Upper() : Device_5Impl("upper") {}
  void init_device() override;
  void always_executed_hook() override;
  long count = 0;
};
void Upper::init_device() {
  work(220);
  count = Tango::work_done;
}
void Upper::always_executed_hook() {
  work(221);
  count += 2;
}
class Lower : public Upper {
public:
  void always_executed_hook() override;
};
void Lower::always_executed_hook() {
  work(222);
  count += 3;
}

class HandAttr : public Tango::Attr {
public:
  explicit HandAttr(const char *name) : Attr(name) {}
  void read(Tango::DeviceImpl *, Tango::Attribute &att) override;
};
void HandAttr::read(Tango::DeviceImpl *, Tango::Attribute &att) {
  work(230);
  att.set_value(name.size());
  work(231);
}

// Two commands that do the same: one function, where the linker merges.
class SameA : public Tango::Command {
public:
  SameA() : Command("SameA") {}
  CORBA::Any *execute(Tango::DeviceImpl *, const CORBA::Any &) override;
};
CORBA::Any *SameA::execute(Tango::DeviceImpl *, const CORBA::Any &in) {
  work(240 + in.value);
  work(241);
  return nullptr;
}
class SameB : public Tango::Command {
public:
  SameB() : Command("SameB") {}
  CORBA::Any *execute(Tango::DeviceImpl *, const CORBA::Any &) override;
};
CORBA::Any *SameB::execute(Tango::DeviceImpl *, const CORBA::Any &in) {
  work(240 + in.value);
  work(241);
  return nullptr;
}
} // namespace

// None of cppTango's: its functions are called the same.
struct Foreign {
  virtual ~Foreign() {}
  virtual void first() { work(300); }
  virtual void init_device();
  virtual void read(Tango::DeviceImpl *, Tango::Attribute &);
};
void Foreign::init_device() {
  work(301);
  work(302);
}
void Foreign::read(Tango::DeviceImpl *, Tango::Attribute &) { work(303); }
struct MoreForeign : Foreign {
  void init_device() override { work(304); }
};

extern "C" void *make_all(int which) {
  switch (which) {
  case 0: return new Pogo_ns::PogoClass;
  case 1: return static_cast<Tango::DeviceImpl *>(new Pogo_ns::Pogo);
  case 2: return static_cast<Tango::DeviceImpl *>(new Hand);
  case 3: return static_cast<Tango::DeviceImpl *>(new Lower);
  case 4: return static_cast<Tango::DeviceImpl *>(new Upper);
  case 5: return new HandAttr("hand");
  case 6: return static_cast<Tango::Command *>(new SameA);
  case 7: return static_cast<Tango::Command *>(new SameB);
  case 8: return new MoreForeign;
  default: return nullptr;
  }
}

int main(int argc, char **) {
  try {
    for (int i = 0; i < 9; i++) {
      Tango::work_done += make_all(i + argc - 1) != nullptr;
    }
  } catch (const std::exception &) {
    return 1;
  }
  return 0;
}
