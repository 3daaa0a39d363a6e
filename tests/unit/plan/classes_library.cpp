// What stands for cppTango in the tests of the scan.
#include "classes.hpp"

namespace Tango {
volatile long work_done;
void work(long n) { work_done += n; }

Attribute::~Attribute() { work(1); }
void Attribute::set_value(long v) { value = v; }
WAttribute::~WAttribute() { work(2); }

Attr::Attr(const char *n) : name(n) {}
Attr::~Attr() { work(3); }
void Attr::first() { work(4); }
bool Attr::is_allowed(DeviceImpl *, AttReqType) { return true; }
void Attr::write(DeviceImpl *, WAttribute &) { work(5); }
void Attr::read(DeviceImpl *, Attribute &) { work(6); }

Command::Command(const char *n) : name(n) {}
Command::~Command() { work(7); }
bool Command::is_allowed(DeviceImpl *, const CORBA::Any &) { return true; }
OwnCommand::OwnCommand() : Command("own") {}
CORBA::Any *OwnCommand::execute(DeviceImpl *, const CORBA::Any &) { return nullptr; }

Skeleton::~Skeleton() { work(8); }
void Skeleton::ping() { work(9); }
void Skeleton_5::ping_5() { work(10); }

DeviceImpl::DeviceImpl(const char *) {}
DeviceImpl::~DeviceImpl() { work(11); }
DevState DeviceImpl::dev_state() { return ON; }
void DeviceImpl::always_executed_hook() { work(12); }
void DeviceImpl::read_attr_hardware(std::vector<long> &) { work(13); }
void DeviceImpl::signal_handler(long) { work(14); }
void DeviceImpl::ping() { work(15); }
Device_5Impl::Device_5Impl(const char *n) : DeviceImpl(n) {}
void Device_5Impl::more_5() { work(16); }
void Device_5Impl::ping_5() { work(17); }
OwnDevice::OwnDevice() : Device_5Impl("own") {}
void OwnDevice::init_device() { work(18); }

DeviceClass::DeviceClass(const char *) {}
DeviceClass::~DeviceClass() { work(19); }
void DeviceClass::attribute_factory(std::vector<Attr *> &) { work(20); }
OwnClass::OwnClass() : DeviceClass("own") {}
void OwnClass::command_factory() { work(21); }

void DeviceProxy::read_attribute(std::string &) { work(22); }
} // namespace Tango
