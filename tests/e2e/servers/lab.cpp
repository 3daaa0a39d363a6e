// A device server as people write them by hand: attributes that come at run time and share one method, all the hooks,
// errors of every kind, and a second device class out of a plug-in. Every method notes that it was called.
#include "lab.hpp"
#include <dlfcn.h>
#include <fstream>
#include <stdexcept>

#include "serve.hpp"

Notes &notes() {
  static Notes all;
  return all;
}

namespace {

class Lab : public TANGO_BASE_CLASS {
public:
  Lab(Tango::DeviceClass *cl, const std::string &name) : TANGO_BASE_CLASS(cl, name.c_str()) { init_device(); }
  ~Lab() override { delete_device(); }
  void init_device() override;
  void delete_device() override;
  void always_executed_hook() override;
  void read_attr_hardware(std::vector<long> &list) override;
  void write_attr_hardware(std::vector<long> &list) override;
  Tango::DevState dev_state() override;
  Tango::ConstDevString dev_status() override;
  void add_dynamic();
  Tango::DevDouble half(Tango::DevDouble value);
  void reset();
  Tango::DevDouble level = 1, values[8] = {0, 1, 2, 3, 4, 5, 6, 7};
  std::string text;
  long reads = 0;
};

Lab *lab(Tango::DeviceImpl *dev) { return static_cast<Lab *>(dev); }

void Lab::init_device() {
  note("Lab.init_device");
  level = 1;
  set_state(Tango::ON);
}
void Lab::delete_device() {
  note("Lab.delete_device");
  text.clear();
}
void Lab::always_executed_hook() {
  note("Lab.always_executed_hook");
  if (level == 666) {
    Tango::Except::throw_exception("Lab_Hook", "the hook refuses", "Lab::always_executed_hook");
  }
}
void Lab::read_attr_hardware(std::vector<long> &list) {
  note("Lab.read_attr_hardware");
  reads += static_cast<long>(list.size());
}
void Lab::write_attr_hardware(std::vector<long> &) {
  note("Lab.write_attr_hardware");
  reads = 0;
}
Tango::DevState Lab::dev_state() {
  note("Lab.dev_state");
  return level > 100 ? Tango::ALARM : Tango::ON;
}
Tango::ConstDevString Lab::dev_status() {
  note("Lab.dev_status");
  text = "level " + std::to_string(level);
  return text.c_str();
}

// ---- attributes

class LevelAttr : public Tango::Attr {
public:
  LevelAttr() : Tango::Attr("level", Tango::DEV_DOUBLE, Tango::READ_WRITE) {}
  void read(Tango::DeviceImpl *dev, Tango::Attribute &att) override;
  void write(Tango::DeviceImpl *dev, Tango::WAttribute &att) override;
  bool is_allowed(Tango::DeviceImpl *dev, Tango::AttReqType type) override;
};
void LevelAttr::read(Tango::DeviceImpl *dev, Tango::Attribute &att) {
  note("Lab.read_level");
  att.set_value(&lab(dev)->level);
}
void LevelAttr::write(Tango::DeviceImpl *dev, Tango::WAttribute &att) {
  note("Lab.write_level");
  Tango::DevDouble value = 0;
  att.get_write_value(value);
  if (value < 0) {
    Tango::Except::throw_exception("Lab_Negative", "only positive numbers", "LevelAttr::write");
  }
  lab(dev)->level = value;
}
bool LevelAttr::is_allowed(Tango::DeviceImpl *dev, Tango::AttReqType type) {
  note("Lab.is_level_allowed");
  return type != Tango::WRITE_REQ || lab(dev)->reads >= 0;
}

class BrokenAttr : public Tango::Attr {
public:
  BrokenAttr() : Tango::Attr("broken", Tango::DEV_DOUBLE, Tango::READ) {}
  void read(Tango::DeviceImpl *, Tango::Attribute &) override;
};
void BrokenAttr::read(Tango::DeviceImpl *, Tango::Attribute &) {
  note("Lab.read_broken");
  Tango::Except::throw_exception("Lab_Broken", "always fails", "BrokenAttr::read");
}

// One method for attributes of any name.
class DynamicAttr : public Tango::Attr {
public:
  DynamicAttr(const std::string &name, int number)
      : Tango::Attr(name.c_str(), Tango::DEV_DOUBLE, Tango::READ), index(number) {}
  void read(Tango::DeviceImpl *dev, Tango::Attribute &att) override;

private:
  int index;
};
void DynamicAttr::read(Tango::DeviceImpl *dev, Tango::Attribute &att) {
  note("Lab.read_" + att.get_name());
  if (index == 7) {
    throw std::runtime_error("no seventh");
  }
  att.set_value(&lab(dev)->values[index]);
}

void Lab::add_dynamic() {
  for (int i = 0; i < 8; i++) {
    add_attribute(new DynamicAttr("channel_" + std::to_string(i), i));
  }
}

// ---- commands

class Add : public Tango::Command {
public:
  Add() : Tango::Command("Add", Tango::DEV_DOUBLE, Tango::DEV_DOUBLE, "", "", Tango::OPERATOR) {}
  CORBA::Any *execute(Tango::DeviceImpl *dev, const CORBA::Any &in) override;
  bool is_allowed(Tango::DeviceImpl *dev, const CORBA::Any &) override;
};
CORBA::Any *Add::execute(Tango::DeviceImpl *dev, const CORBA::Any &in) {
  note("Lab.Add");
  Tango::DevDouble value = 0;
  extract(in, value);
  return insert(value + lab(dev)->values[1]);
}
bool Add::is_allowed(Tango::DeviceImpl *dev, const CORBA::Any &) {
  note("Lab.is_Add_allowed");
  return lab(dev)->values[0] == 0;
}

class Fail : public Tango::Command {
public:
  Fail() : Tango::Command("Fail", Tango::DEV_LONG, Tango::DEV_VOID, "", "", Tango::OPERATOR) {}
  CORBA::Any *execute(Tango::DeviceImpl *, const CORBA::Any &in) override;
};
CORBA::Any *Fail::execute(Tango::DeviceImpl *, const CORBA::Any &in) {
  note("Lab.Fail");
  Tango::DevLong how = 0;
  extract(in, how);
  if (how == 1) {
    throw std::runtime_error("plain");
  }
  if (how == 2) {
    throw 42;
  }
  Tango::Except::throw_exception("Lab_Refused", "refused", "Fail::execute");
  return nullptr;
}

// Commands made of a function of the device, by cppTango's templates.
Tango::DevDouble Lab::half(Tango::DevDouble value) {
  note("Lab.Half");
  return value / 2;
}
void Lab::reset() {
  note("Lab.Reset");
  reads = 0;
}

// What was noted so far goes into the file that is named, and is forgotten.
class Dump : public Tango::Command {
public:
  Dump() : Tango::Command("Dump", Tango::DEV_STRING, Tango::DEV_VOID, "", "", Tango::OPERATOR) {}
  CORBA::Any *execute(Tango::DeviceImpl *, const CORBA::Any &in) override;
};
CORBA::Any *Dump::execute(Tango::DeviceImpl *, const CORBA::Any &in) {
  note("Lab.Dump");
  Tango::DevString path = nullptr;
  extract(in, path);
  std::lock_guard<std::mutex> guard(notes().lock);
  std::ofstream out(path);
  for (const Note &n : notes().list) {
    out << n.tid << '\t' << n.time << '\t' << n.name << '\n';
  }
  notes().list.clear();
  return insert();
}

class LabClass : public Tango::DeviceClass {
public:
  explicit LabClass(std::string name) : Tango::DeviceClass(name) {}

protected:
  void command_factory() override;
  void attribute_factory(std::vector<Tango::Attr *> &list) override;
  void device_factory(const Tango::DevVarStringArray *names) override;
};
void LabClass::command_factory() {
  command_list.push_back(new Add());
  command_list.push_back(new Fail());
  command_list.push_back(new Dump());
  using Function = Tango::DevDouble (Tango::DeviceImpl::*)(Tango::DevDouble);
  command_list.push_back(
      new Tango::TemplCommandInOut<Tango::DevDouble, Tango::DevDouble>("Half", static_cast<Function>(&Lab::half)));
  command_list.push_back(
      new Tango::TemplCommand("Reset", static_cast<void (Tango::DeviceImpl::*)()>(&Lab::reset)));
}
void LabClass::attribute_factory(std::vector<Tango::Attr *> &list) {
  list.push_back(new LevelAttr());
  list.push_back(new BrokenAttr());
}
void LabClass::device_factory(const Tango::DevVarStringArray *names) {
  for (CORBA::ULong i = 0; i < names->length(); i++) {
    auto *dev = new Lab(this, std::string((*names)[i].in()));
    device_list.push_back(dev);
    dev->add_dynamic();
    if (Tango::Util::_UseDb) {
      export_device(dev);
    } else {
      export_device(dev, (*names)[i].in());
    }
  }
}

// The plug-in lies beside the program.
Tango::DeviceClass *load_plug_in() {
  char path[4096];
  ssize_t size = readlink("/proc/self/exe", path, sizeof(path) - 1);
  std::string file(path, size > 0 ? static_cast<size_t>(size) : 0);
  file = file.substr(0, file.rfind('/')) + "/liblabplug.so";
  void *library = dlopen(file.c_str(), RTLD_NOW);
  if (library == nullptr) {
    std::cerr << dlerror() << std::endl;
    return nullptr;
  }
  using Make = Tango::DeviceClass *(*)(Notes &);
  auto make = reinterpret_cast<Make>(dlsym(library, "make_plug_class"));
  return make != nullptr ? make(notes()) : nullptr;
}

} // namespace

void Tango::DServer::class_factory() {
  add_class(new LabClass("Lab"));
  Tango::DeviceClass *plug = load_plug_in();
  if (plug != nullptr) {
    add_class(plug);
  }
}
