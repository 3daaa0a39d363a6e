// The plug-in's device file.
#include "labplug.hpp"

namespace Plug_ns {

void Plug::init_device() {
  note("Plug.init_device");
  current = 5;
  set_state(Tango::ON);
}
void Plug::always_executed_hook() {
  note("Plug.always_executed_hook");
  current += 0;
}
void Plug::read_current(Tango::Attribute &att) {
  note("Plug.read_current");
  att.set_value(&current);
}
void Plug::write_current(Tango::WAttribute &att) {
  note("Plug.write_current");
  att.get_write_value(current);
}
bool Plug::is_current_allowed(Tango::AttReqType) {
  note("Plug.is_current_allowed");
  return current > -1000;
}
void Plug::read_spare(Tango::Attribute &att) {
  note("Plug.read_spare");
  Tango::Except::throw_exception("Plug_Spare", "nothing there", "Plug::read_spare");
  att.set_value(&current);
}
Tango::DevDouble Plug::twice(Tango::DevDouble value) { return 2 * value; }

} // namespace Plug_ns
