/* SPDX-License-Identifier: GPL-2.0-only */
/* Source: device.h, attrdesc.h and deviceclass.h of cppTango, compared with the virtual tables of
 * Debian's 9.3.4, 10.0.2 and 10.3.3 and of PyPI's 9.5.0, which name all of them. */
#include "catalogue/virtuals.h"

#include "base/cleanup.h"

#define HARDWARE "attr_hardware(std::vector<long>&)"

const struct tt_virtuals tt_virtuals[] = {
    {"Tango::DeviceImpl",
     {"_default_POA()", "init_device()", "delete_device()", "always_executed_hook()", "server_init_hook()",
      "read_" HARDWARE, "read_attr(Tango::Attribute&)", "write_" HARDWARE, "dev_state()"}},
    {"Tango::DeviceImpl", /* 9.3 */
     {"_default_POA()", "init_device()", "delete_device()", "always_executed_hook()", "read_" HARDWARE,
      "read_attr(Tango::Attribute&)", "write_" HARDWARE, "dev_state()"}},
    {"Tango::Attr",
     {"write(Tango::DeviceImpl*, Tango::WAttribute&)", "is_allowed(Tango::DeviceImpl*, Tango::AttReqType)",
      "same_type(std::type_info const&)", "get_enum_type()", TT_VIRTUALS_END}},
    {"Tango::DeviceClass",
     {"command_factory()", "attribute_factory(std::vector<Tango::Attr*>&)", "pipe_factory()",
      "device_factory(Tango::DevVarStringArray const*)"}},
};

const size_t tt_virtuals_count = TT_ARRAY_SIZE(tt_virtuals);
