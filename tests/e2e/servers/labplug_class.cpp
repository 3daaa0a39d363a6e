// The plug-in's class file, as Pogo writes it: attribute classes that call a virtual method of the device, whose code
// lies in another file.
#include "labplug.hpp"

static Notes *shared;
Notes &notes() { return *shared; }

namespace Plug_ns {

class currentAttrib : public Tango::Attr {
public:
  currentAttrib() : Attr("current", Tango::DEV_DOUBLE, Tango::READ_WRITE) {}
  void read(Tango::DeviceImpl *dev, Tango::Attribute &att) override { static_cast<Plug *>(dev)->read_current(att); }
  void write(Tango::DeviceImpl *dev, Tango::WAttribute &att) override { static_cast<Plug *>(dev)->write_current(att); }
  bool is_allowed(Tango::DeviceImpl *dev, Tango::AttReqType ty) override {
    return static_cast<Plug *>(dev)->is_current_allowed(ty);
  }
};

class spareAttrib : public Tango::Attr {
public:
  spareAttrib() : Attr("spare", Tango::DEV_DOUBLE, Tango::READ) {}
  void read(Tango::DeviceImpl *dev, Tango::Attribute &att) override { static_cast<Plug *>(dev)->read_spare(att); }
};

class TwiceClass : public Tango::Command {
public:
  TwiceClass() : Tango::Command("Twice", Tango::DEV_DOUBLE, Tango::DEV_DOUBLE, "", "", Tango::OPERATOR) {}
  CORBA::Any *execute(Tango::DeviceImpl *dev, const CORBA::Any &in) override {
    note("Plug.Twice");
    Tango::DevDouble value = 0;
    extract(in, value);
    return insert(static_cast<Plug *>(dev)->twice(value));
  }
};

class PlugClass : public Tango::DeviceClass {
public:
  explicit PlugClass(std::string name) : Tango::DeviceClass(name) {}

protected:
  void command_factory() override { command_list.push_back(new TwiceClass()); }
  void attribute_factory(std::vector<Tango::Attr *> &list) override {
    list.push_back(new currentAttrib());
    list.push_back(new spareAttrib());
  }
  void device_factory(const Tango::DevVarStringArray *names) override {
    for (CORBA::ULong i = 0; i < names->length(); i++) {
      auto *dev = new Plug(this, (*names)[i].in());
      device_list.push_back(dev);
      if (Tango::Util::_UseDb) {
        export_device(dev);
      } else {
        export_device(dev, (*names)[i].in());
      }
    }
  }
};

} // namespace Plug_ns

extern "C" Tango::DeviceClass *make_plug_class(Notes &all) {
  shared = &all;
  return new Plug_ns::PlugClass("Plug");
}
