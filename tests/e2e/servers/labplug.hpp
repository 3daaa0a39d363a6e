// The device class of the plug-in.
#pragma once
#include "lab.hpp"

namespace Plug_ns {

class Plug : public TANGO_BASE_CLASS {
public:
  Plug(Tango::DeviceClass *cl, const char *name) : TANGO_BASE_CLASS(cl, name) { init_device(); }
  void init_device() override;
  void always_executed_hook() override;
  virtual void read_current(Tango::Attribute &att);
  virtual void write_current(Tango::WAttribute &att);
  virtual bool is_current_allowed(Tango::AttReqType type);
  virtual void read_spare(Tango::Attribute &att);
  virtual Tango::DevDouble twice(Tango::DevDouble value);

private:
  Tango::DevDouble current = 5;
};

} // namespace Plug_ns
