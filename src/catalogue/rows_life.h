/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * rows_life.h: what goes on in a server without being asked for: log messages, polling, events, start and
 * stop. Part of the array in rows.c.
 */
#define METHODS(kind) .library = TT_LIBRARY_TANGO, .role = TT_ROLE_##kind, .detail = TT_DETAIL_METHODS

#define WORK                                                                                                 \
    {TT_FIELD_DEVICE, TT_VALUE_WORK_DEVICE, 1}, {TT_FIELD_CLASS, TT_VALUE_WORK_CLASS, 1},                    \
        {TT_FIELD_PLANNED, TT_VALUE_WORK_DATE, 1}, {TT_FIELD_PLANNED_USEC, TT_VALUE_WORK_USEC, 1},           \
        {TT_FIELD_PERIOD, TT_VALUE_WORK_PERIOD, 1},                                                          \
    {                                                                                                        \
        TT_FIELD_PERIOD_MS, TT_VALUE_WORK_PERIOD_MS, 1                                                       \
    }
#define DEVICE                                                                                               \
    {TT_FIELD_DEVICE, TT_VALUE_IMPL_NAME, 0},                                                                \
    {                                                                                                        \
        TT_FIELD_CLASS, TT_VALUE_IMPL_CLASS, 0                                                               \
    }

/* Every message that passes its logger's level, once; disabled levels never get here. The message comes last:
 * it takes what room is left. The thread's name in a LoggingEvent is always empty. */
{
    METHODS(LOG),
    .name = "log4tango::Logger::call_appenders",
    .signature = {"log4tango::Logger::call_appenders(log4tango::LoggingEvent const&)"},
    .argument = {{TT_FIELD_LOGGER, TT_VALUE_STRING, 1},
                 {TT_FIELD_LEVEL, TT_VALUE_LOG_LEVEL, 1},
                 {TT_FIELD_FILE, TT_VALUE_LOG_FILE, 1},
                 {TT_FIELD_LINE, TT_VALUE_LOG_LINE, 1},
                 {TT_FIELD_MESSAGE, TT_VALUE_LOG_MESSAGE, 1}},
},

    /* ---- polling ----------------------------------------------------------------------------------- */
    {
        METHODS(POLL),
        .name = "Tango::PollThread::poll_attr",
        .foreign = true,
        .verb = "poll",
        .signature = {"Tango::PollThread::poll_attr(Tango::WorkItem&)"},
        .argument = {WORK, {TT_FIELD_ATTRIBUTE, TT_VALUE_WORK_ATTRIBUTES, 1}},
    },
    {
        METHODS(POLL),
        .name = "Tango::PollThread::poll_cmd",
        .foreign = true,
        .verb = "poll",
        .signature = {"Tango::PollThread::poll_cmd(Tango::WorkItem&)"},
        .argument = {WORK, {TT_FIELD_COMMAND, TT_VALUE_WORK_COMMAND, 1}},
    },

    /* ---- events ------------------------------------------------------------------------------------- */
    /* Topic and number are told by two functions that it calls for each event, in this order; a heartbeat has
     * a number, too, and no event around it. */
    {
        METHODS(PUSH),
        .name = "Tango::ZmqEventSupplier::push_event",
        .verb = "push",
        .signature = {"Tango::ZmqEventSupplier::push_event(Tango::DeviceImpl*, std::string, "
                      "std::vector<std::string> const&, std::vector<double> const&, std::vector<std::string> "
                      "const&, std::vector<long> const&, Tango::EventSupplier::SuppliedEventData const&, "
                      "std::string const&, Tango::DevFailed*, bool)",
                      "Tango::ZmqEventSupplier::push_event(Tango::DeviceImpl*, std::string, "
                      "std::vector<std::string>&, std::vector<double>&, std::vector<std::string>&, "
                      "std::vector<long>&, Tango::EventSupplier::SuppliedEventData&, std::string&, "
                      "Tango::DevFailed*, bool)" /* 9.3 */},
        .argument = {{TT_FIELD_DEVICE, TT_VALUE_IMPL_NAME, 1},
                     {TT_FIELD_CLASS, TT_VALUE_IMPL_CLASS, 1},
                     {TT_FIELD_EVENT_TYPE, TT_VALUE_STRING, 2},
                     {TT_FIELD_DIMENSIONS, TT_VALUE_EVENT_SIZE, 7},
                     {TT_FIELD_ATTRIBUTE, TT_VALUE_STRING, 8},
                     {TT_FIELD_EVENT_ERROR, TT_VALUE_U64, 9}},
    },
    {
        METHODS(TOPIC),
        .name = "Tango::ZmqEventSupplier::create_full_event_name",
        .signature =
            {"Tango::ZmqEventSupplier::create_full_event_name(Tango::DeviceImpl*, std::string const&, "
             "std::string const&, bool)"},
        .argument = {{TT_FIELD_TOPIC, TT_VALUE_RETURNED_STRING, TT_ARGUMENT_RETURNED}},
    },
    {
        METHODS(COUNTER),
        .name = "Tango::ZmqCallInfo::operator>>=",
        .signature = {"Tango::ZmqCallInfo::operator>>=(cdrStream&) const"},
        .argument = {{TT_FIELD_COUNTER, TT_VALUE_EVENT_COUNTER, 0}},
    },
    {
        METHODS(RECEIVE),
        .name = "Tango::ZmqEventConsumer::push_zmq_event",
        .foreign = true,
        .verb = "event",
        .signature = {"Tango::ZmqEventConsumer::push_zmq_event(std::string&, unsigned char, zmq::message_t&, "
                      "bool, unsigned int const&)"},
        .argument = {{TT_FIELD_TOPIC, TT_VALUE_STRING, 1},
                     {TT_FIELD_EVENT_ERROR, TT_VALUE_U32, 4},
                     {TT_FIELD_COUNTER, TT_VALUE_U32_AT, 5}},
    },
    /* Its heartbeat thread calls it every 9 s, once anybody has subscribed to an event of the server. What a
     * heartbeat consists of is marshalled only once. */
    {
        METHODS(BEAT),
        .name = "Tango::ZmqEventSupplier::push_heartbeat_event",
        .verb = "sent",
        .signature = {"Tango::ZmqEventSupplier::push_heartbeat_event()"},
    },
    /* For each that arrives: the channel's name. */
    {
        METHODS(BEAT),
        .name = "Tango::ZmqEventConsumer::push_heartbeat_event",
        .verb = "received",
        .signature = {"Tango::ZmqEventConsumer::push_heartbeat_event(std::string&)"},
        .argument = {{TT_FIELD_TOPIC, TT_VALUE_STRING, 1}},
    },

    /* ---- the serialization monitor ------------------------------------------------------------------- */
    /* Called only where get_monitor() finds it held; polling threads wait so for orders, with nobody holding
     * it. */
    {
        .library = TT_LIBRARY_TANGO,
        .role = TT_ROLE_WAIT,
        .detail = TT_DETAIL_FULL,
        .name = "Tango::TangoMonitor::wait",
        .signature = {"Tango::TangoMonitor::wait(long)"},
        .argument = {{TT_FIELD_HOLDER, TT_VALUE_MONITOR_HOLDER, 0},
                     {TT_FIELD_TEXT, TT_VALUE_MONITOR_NAME, 0}},
    },

    /* ---- a server starts and stops -------------------------------------------------------------------- */
    {
        METHODS(LIFE),   .name = "Tango::Util::init",
        .foreign = true, .verb = "start",
        .seldom = true,  .signature = {"Tango::Util::init(int, char**)"},
    },
    {
        METHODS(LIFE),   .name = "Tango::Util::server_init",
        .foreign = true, .verb = "start server",
        .seldom = true,  .signature = {"Tango::Util::server_init(bool)"},
    },
    {
        METHODS(LIFE),        .name = "Tango::DServer::init_device",
        .foreign = true,      .verb = "start devices",
        .seldom = true,       .signature = {"Tango::DServer::init_device()"},
        .argument = {DEVICE},
    },
    /* The last part of all constructors that does anything; name and class are set. */
    {
        METHODS(BIRTH),       .name = "Tango::Device_3Impl::real_ctor",
        .seldom = true,       .signature = {"Tango::Device_3Impl::real_ctor()"},
        .argument = {DEVICE},
    },
    {
        METHODS(LIFE),
        .name = "Tango::DeviceClass::export_device",
        .verb = "export",
        .seldom = true,
        .signature = {"Tango::DeviceClass::export_device(Tango::DeviceImpl*, char const*)"},
        .argument = {{TT_FIELD_DEVICE, TT_VALUE_IMPL_NAME, 1}, {TT_FIELD_CLASS, TT_VALUE_IMPL_CLASS, 1}},
    },
    {
        METHODS(LIFE),  .name = "Tango::Util::unregister_server",          .verb = "stop server",
        .seldom = true, .signature = {"Tango::Util::unregister_server()"},
    },
    {
        METHODS(LIFE),
        .name = "Tango::DeviceClass::delete_dev",
        .foreign = true,
        .verb = "stop device",
        .seldom = true,
        .signature = {"Tango::DeviceClass::delete_dev(long, Tango::Util*, PortableServer::POA*)"},
        .argument = {{TT_FIELD_CLASS, TT_VALUE_CLASS_NAME, 0}},
    },

#undef METHODS
#undef WORK
#undef DEVICE
