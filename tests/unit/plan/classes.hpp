// The shape of cppTango: the classes that users derive from, with the same virtual functions in another order than any
// real version's, so that nothing can rest on a known number of a slot. Virtual bases as omniORB's skeletons are.
#pragma once
#include <string>
#include <vector>

namespace CORBA {
struct Any {
  long value;
};
} // namespace CORBA

namespace Tango {
enum AttReqType { READ_REQ, WRITE_REQ };
enum DevState { ON, OFF };
struct DevVarStringArray;
class DeviceImpl;

struct Attribute {
  virtual ~Attribute();
  void set_value(long value);
  long value;
};
struct WAttribute : Attribute {
  ~WAttribute() override;
};

class Attr {
public:
  explicit Attr(const char *name);
  virtual void first();
  virtual ~Attr();
  virtual bool is_allowed(DeviceImpl *, AttReqType);
  virtual void write(DeviceImpl *, WAttribute &);
  virtual void read(DeviceImpl *, Attribute &);
  std::string name;
};
class SpectrumAttr : public Attr { // all inline: its table lies in every file that uses it
public:
  explicit SpectrumAttr(const char *name) : Attr(name) {}
};

class Command {
public:
  explicit Command(const char *name);
  virtual ~Command();
  virtual bool is_allowed(DeviceImpl *, const CORBA::Any &);
  virtual CORBA::Any *execute(DeviceImpl *, const CORBA::Any &) = 0;
  std::string name;
};
class OwnCommand : public Command {
public:
  OwnCommand();
  CORBA::Any *execute(DeviceImpl *, const CORBA::Any &) override;
};

struct Skeleton {
  virtual ~Skeleton();
  virtual void ping();
};
struct Skeleton_5 : virtual Skeleton {
  virtual void ping_5();
};

class DeviceImpl : public virtual Skeleton {
public:
  explicit DeviceImpl(const char *name);
  ~DeviceImpl() override;
  virtual DevState dev_state();
  virtual void always_executed_hook();
  virtual void delete_device() {}
  virtual void init_device() = 0;
  virtual void read_attr_hardware(std::vector<long> &);
  virtual void signal_handler(long);
  void ping() override;
};
class Device_5Impl : public virtual Skeleton_5, public DeviceImpl {
public:
  explicit Device_5Impl(const char *name);
  virtual void more_5();
  void ping_5() override;
};
class OwnDevice : public Device_5Impl {
public:
  OwnDevice();
  void init_device() override;
};

class DeviceClass {
public:
  explicit DeviceClass(const char *name);
  virtual ~DeviceClass();
  virtual void command_factory() = 0;
  virtual void attribute_factory(std::vector<Attr *> &);
};
class OwnClass : public DeviceClass {
public:
  OwnClass();
  void command_factory() override;
};

class DeviceProxy { // tells the layout
public:
  void read_attribute(std::string &name);
};

extern volatile long work_done;
void work(long n);
} // namespace Tango
