/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * rows_method.h: what device classes are made of: the virtual functions of cppTango that user classes
 * override. Part of the array in rows.c. A row names the function of cppTango's own class (its signature
 * tells the slot in the virtual table); what is probed are the functions that lie there in classes derived
 * from it, or those that these hand over to by a jump, as Pogo's do. `this` is where the row's class begins.
 */
#define METHOD(base)                                                                                         \
    .library = TT_LIBRARY_TANGO, .role = TT_ROLE_METHOD, .detail = TT_DETAIL_METHODS, .overrides = true,     \
    .foreign = true, .signature = {base}
#define OF(index)                                                                                            \
    {TT_FIELD_DEVICE, TT_VALUE_IMPL_NAME, index},                                                            \
    {                                                                                                        \
        TT_FIELD_CLASS, TT_VALUE_IMPL_CLASS, index                                                           \
    }
#define CLASS                                                                                                \
    {                                                                                                        \
        TT_FIELD_CLASS, TT_VALUE_CLASS_NAME, 0                                                               \
    }

/* ---- attributes ----------------------------------------------------------------------------------- */
{
    METHOD("Tango::Attr::read(Tango::DeviceImpl*, Tango::Attribute&)"),
    .name = "{class}.read_{attribute}",
    .argument = {OF(1), {TT_FIELD_ATTRIBUTE, TT_VALUE_ATTRIBUTE_NAME, 2}},
},
    {
        METHOD("Tango::Attr::write(Tango::DeviceImpl*, Tango::WAttribute&)"),
        .name = "{class}.write_{attribute}",
        .argument = {OF(1), {TT_FIELD_ATTRIBUTE, TT_VALUE_ATTRIBUTE_NAME, 2}},
    },
    {
        METHOD("Tango::Attr::is_allowed(Tango::DeviceImpl*, Tango::AttReqType)"),
        .name = "{class}.is_{attribute}_allowed",
        .argument = {OF(1), {TT_FIELD_ATTRIBUTE, TT_VALUE_ATTR_NAME, 0}},
    },
    {
        METHOD("Tango::DeviceImpl::read_attr(Tango::Attribute&)"),
        .name = "{class}.read_attr",
        .argument = {OF(0), {TT_FIELD_ATTRIBUTE, TT_VALUE_ATTRIBUTE_NAME, 1}},
    },

    /* ---- commands ------------------------------------------------------------------------------------- */
    {
        METHOD("Tango::Command::execute(Tango::DeviceImpl*, CORBA::Any const&)"),
        .name = "{class}.{command}",
        .argument = {OF(1), {TT_FIELD_COMMAND, TT_VALUE_COMMAND_NAME, 0}},
    },
    {
        METHOD("Tango::Command::is_allowed(Tango::DeviceImpl*, CORBA::Any const&)"),
        .name = "{class}.is_{command}_allowed",
        .argument = {OF(1), {TT_FIELD_COMMAND, TT_VALUE_COMMAND_NAME, 0}},
    },

    {
        /* Commands made of a function without argument and result: the class is cppTango's own. */
        .library = TT_LIBRARY_TANGO,
        .role = TT_ROLE_METHOD,
        .detail = TT_DETAIL_METHODS,
        .foreign = true,
        .name = "{class}.{command}",
        .signature = {"Tango::TemplCommand::execute(Tango::DeviceImpl*, CORBA::Any const&)"},
        .argument = {OF(1), {TT_FIELD_COMMAND, TT_VALUE_COMMAND_NAME, 0}},
    },

    /* ---- the device ----------------------------------------------------------------------------------- */
    {
        METHOD("Tango::DeviceImpl::always_executed_hook()"),
        .name = "{class}.always_executed_hook",
        .argument = {OF(0)},
    },
    {
        METHOD("Tango::DeviceImpl::read_attr_hardware(std::vector<long>&)"),
        .name = "{class}.read_attr_hardware",
        .argument = {OF(0)},
    },
    {
        METHOD("Tango::DeviceImpl::write_attr_hardware(std::vector<long>&)"),
        .name = "{class}.write_attr_hardware",
        .argument = {OF(0)},
    },
    {
        METHOD("Tango::DeviceImpl::dev_state()"),
        .name = "{class}.dev_state",
        .argument = {OF(0)},
    },
    {
        METHOD("Tango::DeviceImpl::dev_status()"),
        .name = "{class}.dev_status",
        .argument = {OF(0)},
    },
    {
        METHOD("Tango::DeviceImpl::init_device()"),
        .name = "{class}.init_device",
        .argument = {OF(0)},
    },
    {
        METHOD("Tango::DeviceImpl::delete_device()"),
        .name = "{class}.delete_device",
        .argument = {OF(0)},
    },
    {
        METHOD("Tango::DeviceImpl::server_init_hook()"),
        .name = "{class}.server_init_hook",
        .argument = {OF(0)},
    },
    {
        METHOD("Tango::DeviceImpl::signal_handler(long)"),
        .name = "{class}.signal_handler",
        .argument = {OF(0)},
    },

    /* ---- the class ------------------------------------------------------------------------------------ */
    {
        METHOD("Tango::DeviceClass::command_factory()"),
        .name = "{class}.command_factory",
        .argument = {CLASS},
    },
    {
        METHOD("Tango::DeviceClass::attribute_factory(std::vector<Tango::Attr*>&)"),
        .name = "{class}.attribute_factory",
        .argument = {CLASS},
    },
    {
        METHOD("Tango::DeviceClass::device_factory(Tango::DevVarStringArray const*)"),
        .name = "{class}.device_factory",
        .argument = {CLASS},
    },

#undef METHOD
#undef OF
#undef CLASS
