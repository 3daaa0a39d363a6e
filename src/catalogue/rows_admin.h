/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * rows_admin.h: functions of DeviceProxy and AttributeProxy that work through another device or through
 * other functions: the admin device (polling, logging, locking, events), the database (properties, alias,
 * import). Part of the array in rows.c. Each is an INTERNAL span, the requests inside are its CLIENT
 * children.
 */
#define MANY(class, function)                                                                                \
    .library = TT_LIBRARY_TANGO, .role = TT_ROLE_MANY, .name = "Tango::" #class "::" #function,              \
    .verb = #function
#define MANY_OF(class, function, ...)                                                                        \
    {                                                                                                        \
        MANY(class, function), .signature = {__VA_ARGS__}, .argument = { PROXY }                             \
    }
#define MANY_SRET(class, function, ...)                                                                      \
    {                                                                                                        \
        MANY(class, function), .sret = true, .signature = {__VA_ARGS__}, .argument = { PROXY }               \
    }
/* Takes the name of an attribute, command, property, target. */
#define MANY_TEXT(class, function, ...)                                                                      \
    {                                                                                                        \
        MANY(class, function), .signature = {__VA_ARGS__}, .argument = {                                     \
            PROXY,                                                                                           \
            {TT_FIELD_TEXT, TT_VALUE_STRING, 1}                                                              \
        }                                                                                                    \
    }
/* The first event comes inside: runs the user's callback. */
#define MANY_FOREIGN(class, function, arguments, ...)                                                        \
    {                                                                                                        \
        MANY(class, function), .foreign = true, .signature = {__VA_ARGS__}, .argument = { PROXY, arguments } \
    }
#define EVENT_OF                                                                                             \
    {                                                                                                        \
        TT_FIELD_TEXT, TT_VALUE_STRING, 1                                                                    \
    }
/* AttributeProxy holds a DeviceProxy, is none: who is meant is told by the calls inside. */
#define ATTRIBUTE_OF(function, ...)                                                                          \
    {                                                                                                        \
        MANY(AttributeProxy, function), .signature = { __VA_ARGS__ }                                         \
    }
#define PROXY                                                                                                \
    {                                                                                                        \
        TT_FIELD_DEVICE, TT_VALUE_PROXY_NAME, 0                                                              \
    }
#define DP "Tango::DeviceProxy::"
#define AP "Tango::AttributeProxy::"

/* ---- polling -------------------------------------------------------------------------------------- */
MANY_OF(DeviceProxy, polling_status, DP "polling_status()"),
    MANY_TEXT(DeviceProxy, poll_attribute, DP "poll_attribute(std::string const&, int)",
              DP "poll_attribute(std::string&, int)" /* 9.3 */),
    MANY_TEXT(DeviceProxy, poll_command, DP "poll_command(std::string const&, int)",
              DP "poll_command(std::string&, int)" /* 9.3 */),
    MANY_TEXT(DeviceProxy, stop_poll_attribute, DP "stop_poll_attribute(std::string const&)",
              DP "stop_poll_attribute(std::string&)" /* 9.3 */),
    MANY_TEXT(DeviceProxy, stop_poll_command, DP "stop_poll_command(std::string const&)",
              DP "stop_poll_command(std::string&)" /* 9.3 */),
    MANY_TEXT(DeviceProxy, is_attribute_polled, DP "is_attribute_polled(std::string const&)",
              DP "is_attribute_polled(std::string&)" /* 9.3 */),
    MANY_TEXT(DeviceProxy, is_command_polled, DP "is_command_polled(std::string const&)",
              DP "is_command_polled(std::string&)" /* 9.3 */),
    MANY_TEXT(DeviceProxy, get_attribute_poll_period, DP "get_attribute_poll_period(std::string const&)",
              DP "get_attribute_poll_period(std::string&)" /* 9.3 */),
    MANY_TEXT(DeviceProxy, get_command_poll_period, DP "get_command_poll_period(std::string const&)",
              DP "get_command_poll_period(std::string&)" /* 9.3 */),

    /* ---- logging, native telemetry -------------------------------------------------------------------- */
    MANY_TEXT(DeviceProxy, add_logging_target, DP "add_logging_target(std::string const&)"),
    MANY_TEXT(DeviceProxy, remove_logging_target, DP "remove_logging_target(std::string const&)"),
    MANY_SRET(DeviceProxy, get_logging_target, DP "get_logging_target()"),
    MANY_OF(DeviceProxy, get_logging_level, DP "get_logging_level()"),
    MANY_OF(DeviceProxy, set_logging_level, DP "set_logging_level(int)"),
    MANY_OF(DeviceProxy, start_telemetry, DP "start_telemetry()"),
    MANY_OF(DeviceProxy, stop_telemetry, DP "stop_telemetry()"),
    MANY_OF(DeviceProxy, is_telemetry_enabled, DP "is_telemetry_enabled()"),
    MANY_OF(DeviceProxy, set_telemetry_tracing, DP "set_telemetry_tracing(bool)"),
    MANY_OF(DeviceProxy, set_telemetry_logging, DP "set_telemetry_logging(bool)"),
    MANY_OF(DeviceProxy, set_telemetry_topics, DP "set_telemetry_topics(std::vector<std::string> const&)"),

    /* ---- locking -------------------------------------------------------------------------------------- */
    MANY_OF(DeviceProxy, lock, DP "lock(int)"), MANY_OF(DeviceProxy, unlock, DP "unlock(bool)"),
    MANY_SRET(DeviceProxy, locking_status, DP "locking_status()"),
    MANY_OF(DeviceProxy, is_locked, DP "is_locked()"),
    MANY_OF(DeviceProxy, is_locked_by_me, DP "is_locked_by_me()"),
    MANY_OF(DeviceProxy, get_locker, DP "get_locker(Tango::LockerInfo&)"),

    /* ---- events: the requests that make and end a subscription ---------------------------------------- */
    MANY_FOREIGN(
        DeviceProxy, subscribe_event, EVENT_OF,
        DP "subscribe_event(std::string const&, Tango::EventType, Tango::CallBack*, "
           "std::vector<std::string> const&, bool)",
        DP "subscribe_event(std::string const&, Tango::EventType, int, std::vector<std::string> const&, "
           "bool)",
        DP "subscribe_event(std::string const&, Tango::EventType, Tango::CallBack*)",
        DP "subscribe_event(std::string const&, Tango::EventType, Tango::CallBack*, "
           "Tango::EventSubMode)" /* 10 */,
        DP "subscribe_event(std::string const&, Tango::EventType, int, Tango::EventSubMode)" /* 10 */),
    MANY_FOREIGN(DeviceProxy, subscribe_event, {TT_FIELD_NONE},
                 DP "subscribe_event(Tango::EventType, Tango::CallBack*, bool)",
                 DP "subscribe_event(Tango::EventType, int, bool)",
                 DP "subscribe_event(Tango::EventType, Tango::CallBack*, Tango::EventSubMode)" /* 10 */,
                 DP "subscribe_event(Tango::EventType, int, Tango::EventSubMode)" /* 10 */),
    MANY_OF(DeviceProxy, unsubscribe_event, DP "unsubscribe_event(int)"),

    /* ---- the database --------------------------------------------------------------------------------- */
    MANY_SRET(DeviceProxy, alias, DP "alias()"), MANY_SRET(DeviceProxy, import_info, DP "import_info()"),
    MANY_TEXT(DeviceProxy, get_property, DP "get_property(std::string const&, std::vector<Tango::DbDatum>&)",
              DP "get_property(std::string&, std::vector<Tango::DbDatum>&)" /* 9.3 */),
    MANY_OF(DeviceProxy, get_property,
            DP "get_property(std::vector<std::string> const&, std::vector<Tango::DbDatum>&)",
            DP "get_property(std::vector<std::string>&, std::vector<Tango::DbDatum>&)" /* 9.3 */,
            DP "get_property(std::vector<Tango::DbDatum>&)"),
    MANY_OF(DeviceProxy, put_property, DP "put_property(std::vector<Tango::DbDatum> const&)",
            DP "put_property(std::vector<Tango::DbDatum>&)" /* 9.3 */),
    MANY_TEXT(DeviceProxy, delete_property, DP "delete_property(std::string const&)",
              DP "delete_property(std::string&)" /* 9.3 */),
    MANY_OF(DeviceProxy, delete_property, DP "delete_property(std::vector<std::string> const&)",
            DP "delete_property(std::vector<std::string>&)" /* 9.3 */,
            DP "delete_property(std::vector<Tango::DbDatum> const&)",
            DP "delete_property(std::vector<Tango::DbDatum>&)" /* 9.3 */),
    MANY_TEXT(DeviceProxy, get_property_list,
              DP "get_property_list(std::string const&, std::vector<std::string>&)"),

    /* ---- commands asked about one by one -------------------------------------------------------------- */
    {
        MANY(DeviceProxy, get_command_config),
        .seldom = true, /* sid's has no instruction that is emulated before its loop */
        .signature = {"Tango::DeviceProxy::get_command_config(std::vector<std::string>&)"},
        .argument = {PROXY},
    },

    /* ---- AttributeProxy: what is more than a call of the same function of its DeviceProxy --------- */
    {
        MANY(AttributeProxy, AttributeProxy),
        .seldom = true, /* sid's calls a virtual function that may throw before anything that is emulated */
        .signature = {AP "real_constructor(std::string&)",
                      AP "ctor_from_dp(Tango::DeviceProxy const*, std::string const&)",
                      AP "ctor_from_dp(Tango::DeviceProxy const*, std::string&)" /* 9.3 */},
    },
    ATTRIBUTE_OF(set_config, AP "set_config(Tango::_AttributeInfo&)",
                 AP "set_config(Tango::_AttributeInfoEx&)", AP "set_config(Tango::AttributeInfo&)" /* 10.3 */,
                 AP "set_config(Tango::AttributeInfoEx&)" /* 10.3 */),
    ATTRIBUTE_OF(get_property, AP "get_property(std::string const&, std::vector<Tango::DbDatum>&)",
                 AP "get_property(std::string&, std::vector<Tango::DbDatum>&)" /* 9.3 */,
                 AP "get_property(std::vector<std::string> const&, std::vector<Tango::DbDatum>&)",
                 AP "get_property(std::vector<std::string>&, std::vector<Tango::DbDatum>&)" /* 9.3 */,
                 AP "get_property(std::vector<Tango::DbDatum>&)"),
    ATTRIBUTE_OF(put_property, AP "put_property(std::vector<Tango::DbDatum> const&)",
                 AP "put_property(std::vector<Tango::DbDatum>&)" /* 9.3 */),
    ATTRIBUTE_OF(delete_property, AP "delete_property(std::string const&)",
                 AP "delete_property(std::string&)" /* 9.3 */,
                 AP "delete_property(std::vector<std::string> const&)",
                 AP "delete_property(std::vector<std::string>&)" /* 9.3 */,
                 AP "delete_property(std::vector<Tango::DbDatum> const&)",
                 AP "delete_property(std::vector<Tango::DbDatum>&)" /* 9.3 */),

#undef MANY
#undef MANY_OF
#undef MANY_SRET
#undef MANY_TEXT
#undef MANY_FOREIGN
#undef EVENT_OF
#undef ATTRIBUTE_OF
#undef PROXY
#undef DP
#undef AP
