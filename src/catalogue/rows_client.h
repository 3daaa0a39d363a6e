/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * rows_client.h: what clients call. Part of the array in rows.c.
 *
 * Of a family of overloads only the innermost stands here: Connection::command_inout(string) calls the one
 * with a DeviceData, DeviceProxy::get_attribute_config(string) the one with a vector, and so on. Each of
 * these sends exactly one request when the connection is up. A function that stands in for another row
 * (attribute_query for get_attribute_config) has that row's verb: then the outer one is the span. Functions
 * that do nothing but call another one (char const* overloads, AttributeProxy::read, ..) are left out: their
 * callee is the span. What works through the admin device or the database stands in rows_admin.h,
 * rows_database.h and rows_group.h.
 */
#define CLIENT(function) .library = TT_LIBRARY_TANGO, .role = TT_ROLE_CLIENT, .name = "Tango::" function
#define MANY(function)   .library = TT_LIBRARY_TANGO, .role = TT_ROLE_MANY, .name = "Tango::" function
#define PROXY                                                                                                \
    {                                                                                                        \
        TT_FIELD_DEVICE, TT_VALUE_PROXY_NAME, 0                                                              \
    }

#define CONNECTION                                                                                           \
    {                                                                                                        \
        TT_FIELD_DEVICE, TT_VALUE_CONNECTION_NAME, 0                                                         \
    }

/* ---- attributes ----------------------------------------------------------------------------------- */
{
    CLIENT("DeviceProxy::read_attribute"),
    .verb = "read",
    .sret = true,
    .usual = {[TT_USUAL_READ] = 1},
    .signature = {"Tango::DeviceProxy::read_attribute(std::string const&)",
                  "Tango::DeviceProxy::read_attribute(std::string&)" /* 9.3 */},
    .argument = {PROXY,
                 {TT_FIELD_ATTRIBUTE, TT_VALUE_STRING, 1},
                 {TT_FIELD_FAILED, TT_VALUE_RETURNED_ATTRIBUTE, TT_ARGUMENT_RETURNED}},
},
    {
        CLIENT("DeviceProxy::read_attribute"),
        .verb = "read",
        .signature = {"Tango::DeviceProxy::read_attribute(char const*, Tango::DeviceAttribute&)"},
        .argument = {PROXY, {TT_FIELD_ATTRIBUTE, TT_VALUE_CSTRING, 1}},
    },
    {
        CLIENT("DeviceProxy::read_attribute"),
        .verb = "read",
        .signature = {"Tango::DeviceProxy::read_attribute(std::string const&, Tango::AttributeValue_4*&)",
                      "Tango::DeviceProxy::read_attribute(std::string const&, Tango::AttributeValue_5*&)"},
        .argument = {PROXY, {TT_FIELD_ATTRIBUTE, TT_VALUE_STRING, 1}},
    },
    {
        CLIENT("DeviceProxy::read_attributes"),
        .verb = "read",
        .signature = {"Tango::DeviceProxy::read_attributes(std::vector<std::string> const&)",
                      "Tango::DeviceProxy::read_attributes(std::vector<std::string>&)" /* 9.3 */},
        .argument = {PROXY,
                     {TT_FIELD_ATTRIBUTE, TT_VALUE_STRING_VEC, 1},
                     {TT_FIELD_FAILED, TT_VALUE_RETURNED_ATTRIBUTE_VEC, TT_ARGUMENT_RETURNED}},
    },
    {
        CLIENT("DeviceProxy::write_attribute"),
        .verb = "write",
        .signature = {"Tango::DeviceProxy::write_attribute(Tango::DeviceAttribute const&)",
                      "Tango::DeviceProxy::write_attribute(Tango::DeviceAttribute&)" /* 9.3 */},
        .argument = {PROXY, {TT_FIELD_ATTRIBUTE, TT_VALUE_ATTRIBUTE, 1}},
    },
    {
        CLIENT("DeviceProxy::write_attribute"),
        .verb = "write",
        .signature = {"Tango::DeviceProxy::write_attribute(Tango::AttributeValueList const&)"},
        .argument = {PROXY, {TT_FIELD_ATTRIBUTE, TT_VALUE_VALUE_1_SEQ, 1}},
    },
    {
        CLIENT("DeviceProxy::write_attribute"),
        .verb = "write",
        .signature = {"Tango::DeviceProxy::write_attribute(Tango::AttributeValueList_4 const&)"},
        .argument = {PROXY, {TT_FIELD_ATTRIBUTE, TT_VALUE_VALUE_SEQ, 1}},
    },
    {
        CLIENT("DeviceProxy::write_attributes"),
        .verb = "write",
        .signature = {"Tango::DeviceProxy::write_attributes(std::vector<Tango::DeviceAttribute> const&)",
                      "Tango::DeviceProxy::write_attributes(std::vector<Tango::DeviceAttribute>&)" /* 9.3 */},
        .argument = {PROXY, {TT_FIELD_ATTRIBUTE, TT_VALUE_ATTRIBUTE_VEC, 1}},
    },
    {
        CLIENT("DeviceProxy::write_read_attribute"),
        .verb = "write_read",
        .sret = true,
        .signature = {"Tango::DeviceProxy::write_read_attribute(Tango::DeviceAttribute const&)",
                      "Tango::DeviceProxy::write_read_attribute(Tango::DeviceAttribute&)" /* 9.3 */},
        .argument = {PROXY,
                     {TT_FIELD_ATTRIBUTE, TT_VALUE_ATTRIBUTE, 1},
                     {TT_FIELD_FAILED, TT_VALUE_RETURNED_ATTRIBUTE, TT_ARGUMENT_RETURNED}},
    },
    {
        CLIENT("DeviceProxy::write_read_attributes"),
        .verb = "write_read",
        .signature = {"Tango::DeviceProxy::write_read_attributes(std::vector<Tango::DeviceAttribute> const&, "
                      "std::vector<std::string> const&)",
                      "Tango::DeviceProxy::write_read_attributes(std::vector<Tango::DeviceAttribute>&, "
                      "std::vector<std::string>&)" /* 9.3 */},
        .argument = {PROXY,
                     {TT_FIELD_ATTRIBUTE, TT_VALUE_ATTRIBUTE_VEC, 1},
                     {TT_FIELD_FAILED, TT_VALUE_RETURNED_ATTRIBUTE_VEC, TT_ARGUMENT_RETURNED}},
    },

    /* ---- commands ------------------------------------------------------------------------------------- */
    {
        CLIENT("Connection::command_inout"),
        .verb = "command",
        .sret = true,
        .usual = {[TT_USUAL_COMMAND] = 1},
        .signature = {"Tango::Connection::command_inout(std::string const&, Tango::DeviceData const&)",
                      "Tango::Connection::command_inout(std::string const&, CORBA::Any const&)",
                      "Tango::Connection::command_inout(std::string&, Tango::DeviceData&)" /* 9.3 */,
                      "Tango::Connection::command_inout(std::string&, CORBA::Any&)" /* 9.3 */},
        .argument = {CONNECTION, {TT_FIELD_COMMAND, TT_VALUE_STRING, 1}},
    },

    /* ---- the device itself ---------------------------------------------------------------------------- */
    {
        CLIENT("DeviceProxy::ping"),
        .verb = "ping",
        .signature = {"Tango::DeviceProxy::ping()"},
        .argument = {PROXY},
    },
    {
        CLIENT("DeviceProxy::state"),
        .verb = "state",
        .signature = {"Tango::DeviceProxy::state()"},
        .argument = {PROXY},
    },
    {
        CLIENT("DeviceProxy::status"),
        .verb = "status",
        .sret = true,
        .signature = {"Tango::DeviceProxy::status()"},
        .argument = {PROXY},
    },
    {
        CLIENT("DeviceProxy::info"),
        .verb = "info",
        .signature = {"Tango::DeviceProxy::info()"},
        .argument = {PROXY},
    },
    {
        CLIENT("DeviceProxy::name"),
        .verb = "name",
        .sret = true,
        .signature = {"Tango::DeviceProxy::name()"},
        .argument = {PROXY},
    },
    {
        CLIENT("DeviceProxy::adm_name"),
        .verb = "adm_name",
        .sret = true,
        .signature = {"Tango::DeviceProxy::adm_name()"},
        .argument = {PROXY},
    },
    {
        CLIENT("DeviceProxy::description"),
        .verb = "description",
        .sret = true,
        .signature = {"Tango::DeviceProxy::description()"},
        .argument = {PROXY},
    },
    {
        CLIENT("DeviceProxy::black_box"),
        .verb = "black_box",
        .signature = {"Tango::DeviceProxy::black_box(int)"},
        .argument = {PROXY},
    },

    /* ---- configuration -------------------------------------------------------------------------------- */
    {
        CLIENT("DeviceProxy::command_query"),
        .verb = "command_query",
        .sret = true,
        .signature = {"Tango::DeviceProxy::command_query(std::string)"},
        .argument = {PROXY, {TT_FIELD_COMMAND, TT_VALUE_STRING, 1}},
    },
    {
        CLIENT("DeviceProxy::command_list_query"),
        .verb = "command_list_query",
        .signature = {"Tango::DeviceProxy::command_list_query()"},
        .argument = {PROXY},
    },
    {
        CLIENT("DeviceProxy::get_command_list"),
        .verb = "command_list_query",
        .substitute = "Tango::DeviceProxy::command_list_query", /* all it does is call that, first */
        .signature = {"Tango::DeviceProxy::get_command_list()"},
        .argument = {PROXY},
    },
    {
        CLIENT("DeviceProxy::get_attribute_config"),
        .verb = "get_attribute_config",
        .signature = {"Tango::DeviceProxy::get_attribute_config(std::vector<std::string> const&)",
                      "Tango::DeviceProxy::get_attribute_config(std::vector<std::string>&)" /* 9.3 */},
        .argument = {PROXY, {TT_FIELD_ATTRIBUTE, TT_VALUE_STRING_VEC, 1}},
    },
    {
        CLIENT("DeviceProxy::get_attribute_config_ex"),
        .verb = "get_attribute_config",
        .signature = {"Tango::DeviceProxy::get_attribute_config_ex(std::vector<std::string> const&)",
                      "Tango::DeviceProxy::get_attribute_config_ex(std::vector<std::string>&)" /* 9.3 */},
        .argument = {PROXY, {TT_FIELD_ATTRIBUTE, TT_VALUE_STRING_VEC, 1}},
    },
    {
        CLIENT("DeviceProxy::set_attribute_config"),
        .verb = "set_attribute_config",
        .signature =
            {"Tango::DeviceProxy::set_attribute_config(std::vector<Tango::AttributeInfo> const&)" /* 10.3 */,
             "Tango::DeviceProxy::set_attribute_config(std::vector<Tango::AttributeInfoEx> const&)" /* 10.3 */
             ,
             "Tango::DeviceProxy::set_attribute_config(std::vector<Tango::_AttributeInfo> const&)",
             "Tango::DeviceProxy::set_attribute_config(std::vector<Tango::_AttributeInfoEx> const&)",
             "Tango::DeviceProxy::set_attribute_config(std::vector<Tango::_AttributeInfo>&)" /* 9.3 */,
             "Tango::DeviceProxy::set_attribute_config(std::vector<Tango::_AttributeInfoEx>&)" /* 9.3 */},
        .argument = {PROXY},
    },

    {
        CLIENT("DeviceProxy::attribute_query"),
        .verb = "get_attribute_config",
        .sret = true,
        .signature = {"Tango::DeviceProxy::attribute_query(std::string)"},
        .argument = {PROXY, {TT_FIELD_ATTRIBUTE, TT_VALUE_STRING, 1}},
    },
    {
        CLIENT("DeviceProxy::attribute_list_query"),
        .verb = "get_attribute_config",
        .signature = {"Tango::DeviceProxy::attribute_list_query()"},
        .argument = {PROXY},
    },
    {
        CLIENT("DeviceProxy::attribute_list_query_ex"),
        .verb = "get_attribute_config",
        .signature = {"Tango::DeviceProxy::attribute_list_query_ex()"},
        .argument = {PROXY},
    },
    {
        CLIENT("DeviceProxy::get_attribute_list"),
        .verb = "get_attribute_config",
        .signature = {"Tango::DeviceProxy::get_attribute_list()"},
        .argument = {PROXY},
    },

    /* ---- histories of polled attributes and commands -------------------------------------------------- */
    {
        CLIENT("DeviceProxy::attribute_history"),
        .verb = "attribute_history",
        .signature = {"Tango::DeviceProxy::attribute_history(std::string const&, int)",
                      "Tango::DeviceProxy::attribute_history(std::string&, int)" /* 9.3 */},
        .argument = {PROXY, {TT_FIELD_ATTRIBUTE, TT_VALUE_STRING, 1}},
    },
    {
        CLIENT("DeviceProxy::command_history"),
        .verb = "command_history",
        .signature = {"Tango::DeviceProxy::command_history(std::string const&, int)",
                      "Tango::DeviceProxy::command_history(std::string&, int)" /* 9.3 */},
        .argument = {PROXY, {TT_FIELD_COMMAND, TT_VALUE_STRING, 1}},
    },

    /* ---- pipes ---------------------------------------------------------------------------------------- */
    {
        CLIENT("DeviceProxy::get_pipe_config"),
        .verb = "get_pipe_config",
        .signature = {"Tango::DeviceProxy::get_pipe_config(std::vector<std::string> const&)",
                      "Tango::DeviceProxy::get_pipe_config(std::vector<std::string>&)" /* 9.3 */},
        .argument = {PROXY},
    },
    {
        CLIENT("DeviceProxy::get_pipe_list"),
        .verb = "get_pipe_config",
        .signature = {"Tango::DeviceProxy::get_pipe_list()"},
        .argument = {PROXY},
    },
    {
        CLIENT("DeviceProxy::set_pipe_config"),
        .verb = "set_pipe_config",
        .signature = {"Tango::DeviceProxy::set_pipe_config(std::vector<Tango::PipeInfo> const&)" /* 10.3 */,
                      "Tango::DeviceProxy::set_pipe_config(std::vector<Tango::_PipeInfo> const&)",
                      "Tango::DeviceProxy::set_pipe_config(std::vector<Tango::_PipeInfo>&)" /* 9.3 */},
        .argument = {PROXY},
    },
    {
        CLIENT("DeviceProxy::read_pipe"),
        .verb = "read_pipe",
        .sret = true,
        .signature = {"Tango::DeviceProxy::read_pipe(std::string const&)"},
        .argument = {PROXY, {TT_FIELD_TEXT, TT_VALUE_STRING, 1}},
    },
    {
        CLIENT("DeviceProxy::write_pipe"),
        .verb = "write_pipe",
        .signature = {"Tango::DeviceProxy::write_pipe(Tango::DevicePipe&)"},
        .argument = {PROXY},
    },
    {
        CLIENT("DeviceProxy::write_read_pipe"),
        .verb = "write_read_pipe",
        .sret = true,
        .signature = {"Tango::DeviceProxy::write_read_pipe(Tango::DevicePipe&)"},
        .argument = {PROXY},
    },

    /* ---- connecting ----------------------------------------------------------------------------------- */
    {
        MANY("DeviceProxy::DeviceProxy"),
        .verb = "connect",
        .signature = {"Tango::DeviceProxy::real_constructor(std::string const&, bool)",
                      "Tango::DeviceProxy::real_constructor(std::string&, bool)" /* 9.3 */},
        .argument = {{TT_FIELD_DEVICE, TT_VALUE_STRING, 1}},
    },
    {
        MANY("Connection::connect"),
        .verb = "connect",
        .signature = {"Tango::Connection::connect(std::string const&)",
                      "Tango::Connection::connect(std::string&)" /* 9.3 */},
        .argument = {CONNECTION},
    },
    {
        MANY("Connection::reconnect"),
        .verb = "reconnect",
        .signature = {"Tango::Connection::reconnect(bool)"},
        .argument = {CONNECTION},
    },
    {
        MANY("DeviceProxy::reconnect"),
        .verb = "reconnect", /* calls that of Connection, then may ask for the name */
        .signature = {"Tango::DeviceProxy::reconnect(bool)"},
        .argument = {PROXY},
    },
    /*
     * Stubs of the IDL that cppTango calls past the functions above: while it makes or renews a connection
     * (name, ping, info), in Database (name, command_query), and when a server looks whether it runs already
     * (command_inout of IDL 1, name). Inside DeviceProxy::name and the like they are inner frames of the same
     * request.
     */
    {
        CLIENT("_objref_Device::name"),
        .verb = "name",
        .signature = {"Tango::_objref_Device::name()"},
    },
    {
        CLIENT("_objref_Device::ping"),
        .verb = "ping",
        .signature = {"Tango::_objref_Device::ping()"},
    },
    {
        CLIENT("_objref_Device::info"),
        .verb = "info", /* 10: in place of ping */
        .signature = {"Tango::_objref_Device::info()"},
    },
    {
        CLIENT("_objref_Device::command_query"),
        .verb = "command_query",
        .signature = {"Tango::_objref_Device::command_query(char const*)"},
        .argument = {{TT_FIELD_COMMAND, TT_VALUE_CSTRING, 1}},
    },
    {
        CLIENT("_objref_Device::command_inout"),
        .verb = "command",
        .signature = {"Tango::_objref_Device::command_inout(char const*, CORBA::Any const&)"},
        .argument = {{TT_FIELD_COMMAND, TT_VALUE_CSTRING, 1}},
    },

#undef CLIENT
#undef MANY
#undef PROXY
#undef CONNECTION
