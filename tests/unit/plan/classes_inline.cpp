// A cppTango whose inline functions have no names, as those built with LTO: the virtual functions in the order of the real
// headers. OLD: without server_init_hook, as 9.3. NEW: with one more than any version that is known.
#include <string>
#include <typeinfo>
#include <vector>

namespace CORBA {
struct Any;
}
namespace Tango {
struct Attribute;
struct WAttribute;
struct DevVarStringArray;
enum AttReqType { READ_REQ };
enum DevState { ON };

struct DeviceImpl {
  virtual ~DeviceImpl() {}
  virtual void *_default_POA();
  virtual void init_device() = 0;
  virtual void delete_device() {}
  virtual void always_executed_hook() {}
#ifndef OLD
  virtual void server_init_hook() {}
#endif
#ifdef NEW
  virtual void another_hook() {}
#endif
  virtual void read_attr_hardware(std::vector<long> &) {}
  virtual void read_attr(Attribute &) {}
  virtual void write_attr_hardware(std::vector<long> &) {}
  virtual DevState dev_state();
};
void *DeviceImpl::_default_POA() { return nullptr; }
DevState DeviceImpl::dev_state() { return ON; }
struct DServer : DeviceImpl {
  void init_device() override;
};
void DServer::init_device() {}

struct Attr {
  virtual ~Attr();
  virtual bool is_fwd() { return false; }
  virtual void read(DeviceImpl *, Attribute &) {}
  virtual void write(DeviceImpl *, WAttribute &) {}
  virtual bool is_allowed(DeviceImpl *, AttReqType) { return true; }
  virtual bool same_type(const std::type_info &) { return false; }
  virtual std::string get_enum_type() { return std::string(); }
};
Attr::~Attr() {}
struct FwdAttr : Attr {
  void read(DeviceImpl *, Attribute &) override;
  void write(DeviceImpl *, WAttribute &) override;
  virtual void init_conf();
};
void FwdAttr::read(DeviceImpl *, Attribute &) {}
void FwdAttr::write(DeviceImpl *, WAttribute &) {}
void FwdAttr::init_conf() {}

struct Command { // its table is no symbol: test_classes.c
  virtual ~Command() {}
  virtual CORBA::Any *execute(DeviceImpl *, const CORBA::Any &) = 0;
  virtual bool is_allowed(DeviceImpl *, const CORBA::Any &) { return true; }
  virtual void init_types() {}
};
struct TemplCommand : Command {
  CORBA::Any *execute(DeviceImpl *, const CORBA::Any &) override;
  bool is_allowed(DeviceImpl *, const CORBA::Any &) override;
};
CORBA::Any *TemplCommand::execute(DeviceImpl *, const CORBA::Any &) { return nullptr; }
bool TemplCommand::is_allowed(DeviceImpl *, const CORBA::Any &) { return true; }
struct DevInitCmd : TemplCommand {
  CORBA::Any *execute(DeviceImpl *, const CORBA::Any &) override;
  virtual void more();
};
CORBA::Any *DevInitCmd::execute(DeviceImpl *, const CORBA::Any &) { return nullptr; }
void DevInitCmd::more() {}

struct DeviceClass {
  virtual ~DeviceClass();
  virtual void command_factory() = 0;
  virtual void attribute_factory(std::vector<Attr *> &) {}
  virtual void pipe_factory() {}
  virtual void device_factory(const DevVarStringArray *) = 0;
};
DeviceClass::~DeviceClass() {}
struct DServerClass : DeviceClass {
  void command_factory() override;
  void device_factory(const DevVarStringArray *) override;
};
void DServerClass::command_factory() {}
void DServerClass::device_factory(const DevVarStringArray *) {}
} // namespace Tango
