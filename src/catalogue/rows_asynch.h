/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * rows_asynch.h: asynchronous calls. Part of the array in rows.c. A function that sends (`*_asynch`) begins a
 * CLIENT span that ends when the reply arrives on omniORB's thread (rows_orb.h); the one that collects it
 * (`*_reply`, or what runs the user's callback) is an INTERNAL span linked to that. Left out are functions
 * that do nothing but call or jump to another one (read_attribute_asynch, write_attribute_reply, ..).
 */
#define ASYNCH(function) .library = TT_LIBRARY_TANGO, .role = TT_ROLE_ASYNCH, .name = "Tango::" function
#define REPLY(function)                                                                                      \
    .library = TT_LIBRARY_TANGO, .role = TT_ROLE_REPLY, .name = "Tango::" function, .verb = "reply"
#define PROXY                                                                                                \
    {                                                                                                        \
        TT_FIELD_DEVICE, TT_VALUE_PROXY_NAME, 0                                                              \
    }
#define CONNECTION                                                                                           \
    {                                                                                                        \
        TT_FIELD_DEVICE, TT_VALUE_CONNECTION_NAME, 0                                                         \
    }
#define NUMBER                                                                                               \
    {                                                                                                        \
        TT_FIELD_ASYNCH_ID, TT_VALUE_U64, 1                                                                  \
    }
#define NUMBER_RETURNED                                                                                      \
    {                                                                                                        \
        TT_FIELD_ASYNCH_ID, TT_VALUE_RETURNED_U64, TT_ARGUMENT_RETURNED                                      \
    }
/* Late: before all else it asks the request for its own argument. */
#define CALLBACK(function)                                                                                   \
    {                                                                                                        \
        REPLY("Connection::" #function),                                                                     \
            .foreign = true, .late = true,                                                                   \
            .signature = {"Tango::Connection::" #function "(CORBA::Request*, Tango::CallBack*)"},            \
            .argument = {                                                                                    \
                CONNECTION,                                                                                  \
                {TT_FIELD_DESCRIPTOR, TT_VALUE_REQUEST, 1}                                                   \
            }                                                                                                \
    }

/* ---- polling model: a number comes back ----------------------------------------------------------- */
{
    ASYNCH("Connection::command_inout_asynch"),
    .verb = "command",
    .signature =
        {"Tango::Connection::command_inout_asynch(std::string const&, Tango::DeviceData const&, bool)"},
    .argument = {CONNECTION, {TT_FIELD_COMMAND, TT_VALUE_STRING, 1}, NUMBER_RETURNED},
},
    {
        ASYNCH("Connection::command_inout_asynch"),
        .verb = "command", /* 9.3: the one with a std::string jumps to it */
        .signature = {"Tango::Connection::command_inout_asynch(char const*, Tango::DeviceData&, bool)"},
        .argument = {CONNECTION, {TT_FIELD_COMMAND, TT_VALUE_CSTRING, 1}, NUMBER_RETURNED},
    },
    {
        ASYNCH("DeviceProxy::read_attributes_asynch"),
        .verb = "read",
        .signature = {"Tango::DeviceProxy::read_attributes_asynch(std::vector<std::string> const&)",
                      "Tango::DeviceProxy::read_attributes_asynch(std::vector<std::string>&)" /* 9.3 */},
        .argument = {PROXY, {TT_FIELD_ATTRIBUTE, TT_VALUE_STRING_VEC, 1}, NUMBER_RETURNED},
    },
    {
        ASYNCH("DeviceProxy::write_attributes_asynch"),
        .verb = "write",
        .signature =
            {"Tango::DeviceProxy::write_attributes_asynch(std::vector<Tango::DeviceAttribute> const&)",
             "Tango::DeviceProxy::write_attributes_asynch(std::vector<Tango::DeviceAttribute>&)" /* 9.3 */},
        .argument = {PROXY, {TT_FIELD_ATTRIBUTE, TT_VALUE_ATTRIBUTE_VEC, 1}, NUMBER_RETURNED},
    },
    {
        ASYNCH("DeviceProxy::write_attribute_asynch"),
        .verb = "write",
        .signature = {"Tango::DeviceProxy::write_attribute_asynch(Tango::DeviceAttribute const&)",
                      "Tango::DeviceProxy::write_attribute_asynch(Tango::DeviceAttribute&)" /* 9.3 */},
        .argument = {PROXY, {TT_FIELD_ATTRIBUTE, TT_VALUE_ATTRIBUTE, 1}, NUMBER_RETURNED},
    },

    /* ---- callback model ------------------------------------------------------------------------------- */
    {
        ASYNCH("Connection::command_inout_asynch"),
        .verb = "command",
        .signature = {"Tango::Connection::command_inout_asynch(std::string const&, Tango::DeviceData const&, "
                      "Tango::CallBack&)"},
        .argument = {CONNECTION, {TT_FIELD_COMMAND, TT_VALUE_STRING, 1}},
    },
    {
        ASYNCH("Connection::command_inout_asynch"),
        .verb = "command", /* 9.3 */
        .signature = {"Tango::Connection::command_inout_asynch(char const*, Tango::DeviceData&, "
                      "Tango::CallBack&)"},
        .argument = {CONNECTION, {TT_FIELD_COMMAND, TT_VALUE_CSTRING, 1}},
    },
    {
        ASYNCH("DeviceProxy::read_attributes_asynch"),
        .verb = "read",
        .signature = {"Tango::DeviceProxy::read_attributes_asynch(std::vector<std::string> const&, "
                      "Tango::CallBack&)",
                      "Tango::DeviceProxy::read_attributes_asynch(std::vector<std::string>&, "
                      "Tango::CallBack&)" /* 9.3 */},
        .argument = {PROXY, {TT_FIELD_ATTRIBUTE, TT_VALUE_STRING_VEC, 1}},
    },
    {
        ASYNCH("DeviceProxy::write_attributes_asynch"),
        .verb = "write",
        .signature =
            {"Tango::DeviceProxy::write_attributes_asynch(std::vector<Tango::DeviceAttribute> const&, "
             "Tango::CallBack&)",
             "Tango::DeviceProxy::write_attributes_asynch(std::vector<Tango::DeviceAttribute>&, "
             "Tango::CallBack&)" /* 9.3 */},
        .argument = {PROXY, {TT_FIELD_ATTRIBUTE, TT_VALUE_ATTRIBUTE_VEC, 1}},
    },
    {
        ASYNCH("DeviceProxy::write_attribute_asynch"),
        .verb = "write",
        .signature = {"Tango::DeviceProxy::write_attribute_asynch(Tango::DeviceAttribute const&, "
                      "Tango::CallBack&)",
                      "Tango::DeviceProxy::write_attribute_asynch(Tango::DeviceAttribute&, "
                      "Tango::CallBack&)" /* 9.3 */},
        .argument = {PROXY, {TT_FIELD_ATTRIBUTE, TT_VALUE_ATTRIBUTE, 1}},
    },
    CALLBACK(Cb_Cmd_Request), CALLBACK(Cb_ReadAttr_Request), CALLBACK(Cb_WriteAttr_Request),

    /* ---- replies -------------------------------------------------------------------------------------- */
    {
        REPLY("Connection::command_inout_reply"),
        .sret = true,
        .signature = {"Tango::Connection::command_inout_reply(long)",
                      "Tango::Connection::command_inout_reply(long, long)"},
        .argument = {CONNECTION, NUMBER},
    },
    {
        REPLY("DeviceProxy::read_attributes_reply"),
        .signature = {"Tango::DeviceProxy::read_attributes_reply(long)",
                      "Tango::DeviceProxy::read_attributes_reply(long, long)"},
        .argument = {PROXY, NUMBER, {TT_FIELD_FAILED, TT_VALUE_RETURNED_ATTRIBUTE_VEC, TT_ARGUMENT_RETURNED}},
    },
    {
        REPLY("DeviceProxy::read_attribute_reply"),
        .signature = {"Tango::DeviceProxy::read_attribute_reply(long)",
                      "Tango::DeviceProxy::read_attribute_reply(long, long)"},
        .argument = {PROXY, NUMBER, {TT_FIELD_FAILED, TT_VALUE_RETURNED_ATTRIBUTE, TT_ARGUMENT_RETURNED}},
    },
    {
        REPLY("DeviceProxy::write_attributes_reply"),
        .signature = {"Tango::DeviceProxy::write_attributes_reply(long)",
                      "Tango::DeviceProxy::write_attributes_reply(long, long)"},
        .argument = {PROXY, NUMBER},
    },

#undef ASYNCH
#undef REPLY
#undef PROXY
#undef CONNECTION
#undef NUMBER
#undef NUMBER_RETURNED
#undef CALLBACK
