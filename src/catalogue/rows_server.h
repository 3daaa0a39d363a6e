/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * rows_server.h: what servers are asked for: the operations of IDL interfaces Device to Device_6. Part of
 * the array in rows.c. The generated skeleton calls them through the vtable with the adjusted `this`, so
 * one point each catches all ways. Older ones are called by newer ones too: the outermost is the span.
 */
#define SERVER(function) .library = TT_LIBRARY_TANGO, .role = TT_ROLE_SERVER, .name = "Tango::" function
#define DEVICE                                                                                               \
    {TT_FIELD_DEVICE, TT_VALUE_IMPL_NAME, 0},                                                                \
    {                                                                                                        \
        TT_FIELD_CLASS, TT_VALUE_IMPL_CLASS, 0                                                               \
    }
#define FAILED                                                                                               \
    {                                                                                                        \
        TT_FIELD_FAILED, TT_VALUE_RETURNED_SEQ, TT_ARGUMENT_RETURNED                                         \
    }
#define NAMES                                                                                                \
    {                                                                                                        \
        TT_FIELD_ATTRIBUTE, TT_VALUE_STRING_SEQ, 1                                                           \
    }
#define VALUES                                                                                               \
    {                                                                                                        \
        TT_FIELD_ATTRIBUTE, TT_VALUE_VALUE_SEQ, 1                                                            \
    }
#define VALUES_1                                                                                             \
    {                                                                                                        \
        TT_FIELD_ATTRIBUTE, TT_VALUE_VALUE_1_SEQ, 1                                                          \
    }
#define COMMAND                                                                                              \
    {                                                                                                        \
        TT_FIELD_COMMAND, TT_VALUE_CSTRING, 1                                                                \
    }
#define HISTORY_OF                                                                                           \
    {                                                                                                        \
        TT_FIELD_ATTRIBUTE, TT_VALUE_CSTRING, 1                                                              \
    }
#define SOURCE(index)                                                                                        \
    {                                                                                                        \
        TT_FIELD_SOURCE, TT_VALUE_U32, index                                                                 \
    }
#define IDENT(index)                                                                                         \
    {                                                                                                        \
        TT_FIELD_CLIENT, TT_VALUE_CLNT_IDENT, index                                                          \
    }

/* ---- read ----------------------------------------------------------------------------------------- */
{
    SERVER("DeviceImpl::read_attributes"),
    .verb = "read",
    .signature = {"Tango::DeviceImpl::read_attributes(Tango::DevVarStringArray const&)"},
    .argument = {DEVICE, NAMES},
},
    {
        SERVER("Device_2Impl::read_attributes_2"),
        .verb = "read",
        .signature =
            {"Tango::Device_2Impl::read_attributes_2(Tango::DevVarStringArray const&, Tango::DevSource)"},
        .argument = {DEVICE, NAMES, SOURCE(2)},
    },
    {
        SERVER("Device_3Impl::read_attributes_3"),
        .verb = "read",
        .signature =
            {"Tango::Device_3Impl::read_attributes_3(Tango::DevVarStringArray const&, Tango::DevSource)"},
        .argument = {DEVICE, NAMES, SOURCE(2), FAILED},
    },
    {
        SERVER("Device_4Impl::read_attributes_4"),
        .verb = "read",
        .signature =
            {"Tango::Device_4Impl::read_attributes_4(Tango::DevVarStringArray const&, Tango::DevSource, "
             "Tango::ClntIdent const&)"},
        .argument = {DEVICE, NAMES, SOURCE(2), IDENT(3), FAILED},
    },
    {
        SERVER("Device_5Impl::read_attributes_5"),
        .verb = "read",
        .usual = {[TT_USUAL_READ] = 1},
        .signature =
            {"Tango::Device_5Impl::read_attributes_5(Tango::DevVarStringArray const&, Tango::DevSource, "
             "Tango::ClntIdent const&)"},
        .argument = {DEVICE, NAMES, SOURCE(2), IDENT(3), FAILED},
    },

    /* ---- write, write_read: refused attributes come as an exception (MultiDevFailed) ------------------ */
    {
        SERVER("DeviceImpl::write_attributes"),
        .verb = "write",
        .signature = {"Tango::DeviceImpl::write_attributes(Tango::AttributeValueList const&)"},
        .argument = {DEVICE, VALUES_1},
    },
    {
        SERVER("Device_3Impl::write_attributes_3"),
        .verb = "write",
        .signature = {"Tango::Device_3Impl::write_attributes_3(Tango::AttributeValueList const&)"},
        .argument = {DEVICE, VALUES_1},
    },
    {
        SERVER("Device_4Impl::write_attributes_4"),
        .verb = "write",
        .signature = {"Tango::Device_4Impl::write_attributes_4(Tango::AttributeValueList_4 const&, "
                      "Tango::ClntIdent const&)"},
        .argument = {DEVICE, VALUES, IDENT(2)},
    },
    {
        SERVER("Device_4Impl::write_read_attributes_4"),
        .verb = "write_read",
        .signature = {"Tango::Device_4Impl::write_read_attributes_4(Tango::AttributeValueList_4 const&, "
                      "Tango::ClntIdent const&)"},
        .argument = {DEVICE, VALUES, IDENT(2), FAILED},
    },
    {
        SERVER("Device_5Impl::write_read_attributes_5"),
        .verb = "write_read",
        .signature = {"Tango::Device_5Impl::write_read_attributes_5(Tango::AttributeValueList_4 const&, "
                      "Tango::DevVarStringArray const&, Tango::ClntIdent const&)"},
        .argument = {DEVICE, VALUES, IDENT(3), FAILED},
    },

    /* ---- commands ------------------------------------------------------------------------------------- */
    {
        /* A request of its own only to devices of IDL 1, of the last century. */
        SERVER("DeviceImpl::command_inout"),
        .verb = "command",
        .substitute = "Tango::Device_2Impl::command_inout_2",
        .inner = true,
        .usual = {[TT_USUAL_COMMAND] = 1},
        .signature = {"Tango::DeviceImpl::command_inout(char const*, CORBA::Any const&)"},
        .argument = {DEVICE, COMMAND},
    },
    {
        SERVER("Device_2Impl::command_inout_2"),
        .verb = "command",
        .usual = {[TT_USUAL_COMMAND] = 1},
        .signature =
            {"Tango::Device_2Impl::command_inout_2(char const*, CORBA::Any const&, Tango::DevSource)"},
        .argument = {DEVICE, COMMAND, SOURCE(3)},
    },
    {
        SERVER("Device_4Impl::command_inout_4"),
        .verb = "command",
        /* before 10 it ends in a jump through the vtable to that method, in the same frame: they close
           together */
        .substitute = "Tango::Device_2Impl::command_inout_2",
        .usual = {[TT_USUAL_COMMAND] = 1},
        .signature =
            {"Tango::Device_4Impl::command_inout_4(char const*, CORBA::Any const&, Tango::DevSource, "
             "Tango::ClntIdent const&)"},
        .argument = {DEVICE, COMMAND, SOURCE(3), IDENT(4)},
    },

    /* ---- the device itself ---------------------------------------------------------------------------- */
    {
        SERVER("DeviceImpl::ping"),
        .verb = "ping",
        .signature = {"Tango::DeviceImpl::ping()"},
        .argument = {DEVICE},
    },
    {
        SERVER("DeviceImpl::state"),
        .verb = "state",
        .signature = {"Tango::DeviceImpl::state()"},
        .argument = {DEVICE},
    },
    {
        SERVER("DeviceImpl::status"),
        .verb = "status",
        .signature = {"Tango::DeviceImpl::status()"},
        .argument = {DEVICE},
    },
    {
        SERVER("DeviceImpl::name"),
        .verb = "name",
        .signature = {"Tango::DeviceImpl::name()"},
        .argument = {DEVICE},
    },
    {
        SERVER("DeviceImpl::adm_name"),
        .verb = "adm_name",
        .signature = {"Tango::DeviceImpl::adm_name()"},
        .argument = {DEVICE},
    },
    {
        SERVER("DeviceImpl::description"),
        .verb = "description",
        .signature = {"Tango::DeviceImpl::description()"},
        .argument = {DEVICE},
    },
    {
        SERVER("DeviceImpl::info"),
        .verb = "info",
        .signature = {"Tango::DeviceImpl::info()"},
        .argument = {DEVICE},
    },
    {
        SERVER("Device_3Impl::info_3"),
        .verb = "info",
        .signature = {"Tango::Device_3Impl::info_3()"},
        .argument = {DEVICE},
    },
    {
        SERVER("Device_6Impl::info_6"),
        .verb = "info",
        .signature = {"Tango::Device_6Impl::info_6()"},
        .argument = {DEVICE},
    },
    {
        SERVER("DeviceImpl::black_box"),
        .verb = "black_box",
        .signature = {"Tango::DeviceImpl::black_box(int)"},
        .argument = {DEVICE},
    },

    /* ---- configuration -------------------------------------------------------------------------------- */
    {
        SERVER("DeviceImpl::command_query"),
        .verb = "command_query",
        .signature = {"Tango::DeviceImpl::command_query(char const*)"},
        .argument = {DEVICE, COMMAND},
    },
    {
        SERVER("Device_2Impl::command_query_2"),
        .verb = "command_query",
        .signature = {"Tango::Device_2Impl::command_query_2(char const*)"},
        .argument = {DEVICE, COMMAND},
    },
    {
        SERVER("DeviceImpl::command_list_query"),
        .verb = "command_list_query",
        .signature = {"Tango::DeviceImpl::command_list_query()"},
        .argument = {DEVICE},
    },
    {
        SERVER("Device_2Impl::command_list_query_2"),
        .verb = "command_list_query",
        .signature = {"Tango::Device_2Impl::command_list_query_2()"},
        .argument = {DEVICE},
    },
    {
        SERVER("DeviceImpl::get_attribute_config"),
        .verb = "get_attribute_config",
        .signature = {"Tango::DeviceImpl::get_attribute_config(Tango::DevVarStringArray const&)"},
        .argument = {DEVICE, NAMES},
    },
    {
        SERVER("Device_2Impl::get_attribute_config_2"),
        .verb = "get_attribute_config",
        .signature = {"Tango::Device_2Impl::get_attribute_config_2(Tango::DevVarStringArray const&)"},
        .argument = {DEVICE, NAMES},
    },
    {
        SERVER("Device_3Impl::get_attribute_config_3"),
        .verb = "get_attribute_config",
        .signature = {"Tango::Device_3Impl::get_attribute_config_3(Tango::DevVarStringArray const&)"},
        .argument = {DEVICE, NAMES},
    },
    {
        SERVER("Device_5Impl::get_attribute_config_5"),
        .verb = "get_attribute_config",
        .signature = {"Tango::Device_5Impl::get_attribute_config_5(Tango::DevVarStringArray const&)"},
        .argument = {DEVICE, NAMES},
    },
    {
        SERVER("DeviceImpl::set_attribute_config"),
        .verb = "set_attribute_config",
        .signature = {"Tango::DeviceImpl::set_attribute_config(Tango::AttributeConfigList const&)"},
        .argument = {DEVICE},
    },
    {
        SERVER("Device_3Impl::set_attribute_config_3"),
        .verb = "set_attribute_config",
        .signature = {"Tango::Device_3Impl::set_attribute_config_3(Tango::AttributeConfigList_3 const&)"},
        .argument = {DEVICE},
    },
    {
        SERVER("Device_4Impl::set_attribute_config_4"),
        .verb = "set_attribute_config",
        .signature = {"Tango::Device_4Impl::set_attribute_config_4(Tango::AttributeConfigList_3 const&, "
                      "Tango::ClntIdent const&)"},
        .argument = {DEVICE, IDENT(2)},
    },
    {
        SERVER("Device_5Impl::set_attribute_config_5"),
        .verb = "set_attribute_config",
        .signature = {"Tango::Device_5Impl::set_attribute_config_5(Tango::AttributeConfigList_5 const&, "
                      "Tango::ClntIdent const&)"},
        .argument = {DEVICE, IDENT(2)},
    },

    /* ---- histories ------------------------------------------------------------------------------------ */
    {
        SERVER("Device_2Impl::read_attribute_history_2"),
        .verb = "attribute_history",
        .signature = {"Tango::Device_2Impl::read_attribute_history_2(char const*, int)"},
        .argument = {DEVICE, HISTORY_OF},
    },
    {
        SERVER("Device_3Impl::read_attribute_history_3"),
        .verb = "attribute_history",
        .signature = {"Tango::Device_3Impl::read_attribute_history_3(char const*, int)"},
        .argument = {DEVICE, HISTORY_OF},
    },
    {
        SERVER("Device_4Impl::read_attribute_history_4"),
        .verb = "attribute_history",
        .signature = {"Tango::Device_4Impl::read_attribute_history_4(char const*, int)"},
        .argument = {DEVICE, HISTORY_OF},
    },
    {
        SERVER("Device_5Impl::read_attribute_history_5"),
        .verb = "attribute_history",
        .signature = {"Tango::Device_5Impl::read_attribute_history_5(char const*, int)"},
        .argument = {DEVICE, HISTORY_OF},
    },
    {
        SERVER("Device_2Impl::command_inout_history_2"),
        .verb = "command_history",
        .signature = {"Tango::Device_2Impl::command_inout_history_2(char const*, int)"},
        .argument = {DEVICE, COMMAND},
    },
    {
        SERVER("Device_4Impl::command_inout_history_4"),
        .verb = "command_history",
        .signature = {"Tango::Device_4Impl::command_inout_history_4(char const*, int)"},
        .argument = {DEVICE, COMMAND},
    },

    /* ---- pipes ---------------------------------------------------------------------------------------- */
    {
        SERVER("Device_5Impl::get_pipe_config_5"),
        .verb = "get_pipe_config",
        .signature = {"Tango::Device_5Impl::get_pipe_config_5(Tango::DevVarStringArray const&)"},
        .argument = {DEVICE},
    },
    {
        SERVER("Device_5Impl::set_pipe_config_5"),
        .verb = "set_pipe_config",
        .signature =
            {"Tango::Device_5Impl::set_pipe_config_5(Tango::PipeConfigList const&, Tango::ClntIdent const&)"},
        .argument = {DEVICE, IDENT(2)},
    },
    {
        SERVER("Device_5Impl::read_pipe_5"),
        .verb = "read_pipe",
        .signature = {"Tango::Device_5Impl::read_pipe_5(char const*, Tango::ClntIdent const&)"},
        .argument = {DEVICE, {TT_FIELD_TEXT, TT_VALUE_CSTRING, 1}, IDENT(2)},
    },
    {
        SERVER("Device_5Impl::write_pipe_5"),
        .verb = "write_pipe",
        .signature =
            {"Tango::Device_5Impl::write_pipe_5(Tango::DevPipeData const&, Tango::ClntIdent const&)"},
        .argument = {DEVICE, {TT_FIELD_TEXT, TT_VALUE_PIPE_DATA, 1}, IDENT(2)},
    },
    {
        SERVER("Device_5Impl::write_read_pipe_5"),
        .verb = "write_read_pipe",
        .signature =
            {"Tango::Device_5Impl::write_read_pipe_5(Tango::DevPipeData const&, Tango::ClntIdent const&)"},
        .argument = {DEVICE, {TT_FIELD_TEXT, TT_VALUE_PIPE_DATA, 1}, IDENT(2)},
    },

#undef SERVER
#undef DEVICE
#undef FAILED
#undef NAMES
#undef VALUES
#undef VALUES_1
#undef COMMAND
#undef HISTORY_OF
#undef SOURCE
#undef IDENT
