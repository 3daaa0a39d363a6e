// A C++ device whose attributes are forwarded: the values lie on other devices.
#include "serve.hpp"

namespace {

class Forwarder : public TANGO_BASE_CLASS {
public:
  Forwarder(Tango::DeviceClass *cl, const std::string &name) : TANGO_BASE_CLASS(cl, name.c_str()) { init_device(); }
  void init_device() override { set_state(Tango::ON); }
};

const char *const roots[][2] = {
    {"ampli", "sys/tg_test/1/ampli"},
    {"throws", "sys/tg_test/1/throw_exception"},
    {"number", "test/thrower/1/number"},
};

class ForwarderClass : public Tango::DeviceClass {
public:
  explicit ForwarderClass(std::string name) : Tango::DeviceClass(name) {}

protected:
  void command_factory() override {}
  void attribute_factory(std::vector<Tango::Attr *> &list) override {
    for (const auto &row : roots) {
      list.push_back(new Tango::FwdAttr(row[0], row[1]));
    }
  }
  void device_factory(const Tango::DevVarStringArray *names) override {
    for (CORBA::ULong i = 0; i < names->length(); i++) {
      device_list.push_back(new Forwarder(this, std::string((*names)[i].in())));
      export_device(device_list.back());
    }
  }
};

} // namespace

void Tango::DServer::class_factory() { add_class(new ForwarderClass("Forwarder")); }
