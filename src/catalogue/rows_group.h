/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * rows_group.h: calls to many devices at once. Part of the array in rows.c. Group sends by the asynchronous
 * functions of DeviceProxy and collects by their `*_reply`: one CLIENT span per device inside. Its own
 * asynchronous functions do nothing but go on to an inner one (`*_i`), which is probed in their place and
 * calls itself for groups inside a group; of nested calls of one kind the outermost is the span.
 */
#define GROUP(function) .library = TT_LIBRARY_TANGO, .role = TT_ROLE_MANY, .name = "Tango::Group::" function

{
    GROUP("ping"),
    .verb = "ping",
    .signature = {"Tango::Group::ping(bool)"},
},
    {
        GROUP("command_inout"),
        .verb = "command",
        .sret = true,
        .signature =
            {"Tango::Group::command_inout(std::string const&, bool)",
             "Tango::Group::command_inout(std::string const&, Tango::DeviceData const&, bool)",
             "Tango::Group::command_inout(std::string const&, std::vector<Tango::DeviceData> const&, "
             "bool)"},
        .argument = {{TT_FIELD_COMMAND, TT_VALUE_STRING, 1}},
    },
    {
        GROUP("command_inout_asynch"),
        .verb = "command",
        .signature = {"Tango::Group::command_inout_asynch_i(std::string const&, bool, bool, long)",
                      "Tango::Group::command_inout_asynch_i(std::string const&, Tango::DeviceData const&, "
                      "bool, bool, long)",
                      "Tango::Group::command_inout_asynch_i(std::string const&, "
                      "std::vector<Tango::DeviceData> const&, bool, bool, long)"},
        .argument = {{TT_FIELD_COMMAND, TT_VALUE_STRING, 1}},
    },
    {
        GROUP("command_inout_reply"),
        .verb = "reply",
        .sret = true,
        .signature = {"Tango::Group::command_inout_reply(long, long)"},
    },
    {
        GROUP("read_attribute"),
        .verb = "read",
        .sret = true,
        .signature = {"Tango::Group::read_attribute(std::string const&, bool)"},
        .argument = {{TT_FIELD_ATTRIBUTE, TT_VALUE_STRING, 1}},
    },
    {
        GROUP("read_attribute_asynch"),
        .verb = "read",
        .signature = {"Tango::Group::read_attribute_asynch_i(std::string const&, bool, long)"},
        .argument = {{TT_FIELD_ATTRIBUTE, TT_VALUE_STRING, 1}},
    },
    {
        GROUP("read_attribute_reply"),
        .verb = "reply",
        .sret = true,
        .signature = {"Tango::Group::read_attribute_reply(long, long)"},
    },
    {
        GROUP("read_attributes"),
        .verb = "read",
        .sret = true,
        .signature = {"Tango::Group::read_attributes(std::vector<std::string> const&, bool)"},
        .argument = {{TT_FIELD_ATTRIBUTE, TT_VALUE_STRING_VEC, 1}},
    },
    {
        GROUP("read_attributes_asynch"),
        .verb = "read",
        .signature = {"Tango::Group::read_attributes_asynch_i(std::vector<std::string> const&, bool, long)"},
        .argument = {{TT_FIELD_ATTRIBUTE, TT_VALUE_STRING_VEC, 1}},
    },
    {
        GROUP("read_attributes_reply"),
        .verb = "reply",
        .sret = true,
        .signature = {"Tango::Group::read_attributes_reply(long, long)"},
    },
    {
        GROUP("write_attribute"),
        .verb = "write",
        .sret = true,
        .signature = {"Tango::Group::write_attribute(Tango::DeviceAttribute const&, bool)"},
        .argument = {{TT_FIELD_ATTRIBUTE, TT_VALUE_ATTRIBUTE, 1}},
    },
    {
        GROUP("write_attribute"),
        .verb = "write", /* one value per device, all of the same attribute */
        .sret = true,
        .signature = {"Tango::Group::write_attribute(std::vector<Tango::DeviceAttribute> const&, bool)"},
    },
    {
        GROUP("write_attribute_asynch"),
        .verb = "write",
        .signature = {"Tango::Group::write_attribute_asynch_i(Tango::DeviceAttribute const&, bool, long)"},
        .argument = {{TT_FIELD_ATTRIBUTE, TT_VALUE_ATTRIBUTE, 1}},
    },
    {
        GROUP("write_attribute_asynch"),
        .verb = "write",
        .signature = {"Tango::Group::write_attribute_asynch_i(std::vector<Tango::DeviceAttribute> const&, "
                      "bool, long)"},
    },
    {
        GROUP("write_attribute_reply"),
        .verb = "reply",
        .sret = true,
        .signature = {"Tango::Group::write_attribute_reply(long, long)"},
    },

#undef GROUP
