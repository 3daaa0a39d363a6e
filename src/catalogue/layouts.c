/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * layouts.c: where fields lie in objects of cppTango and omniORB, per family of builds. Measured: by offsetof
 * over the headers of Debian's 9.3.4; in live processes of Debian's 10.0 and 10.3 and of the
 * wheels 9.5.1, 10.0.4 and 10.3.1; and read out of the code of the wheels 9.4.2 to 10.3.1
 * (DeviceProxy::dev_name for the proxy's name, DeviceAttribute::init_common_class_members, is_empty and
 * vector<DeviceAttribute>::_M_default_append; LoggingEvent's constructor). -1: not known, what needs it is
 * not captured.
 *
 * The first layout that fits is taken. Types made from IDL (AttributeValue_N) have no std::string and are the
 * same everywhere.
 */
#include "catalogue/catalogue.h"

#include "base/cleanup.h"

#define NEW_STRING "NSt7__cxx1112basic_stringIcSt11char_traitsIcESaIcEEE"

#define IDL_VALUES                                                                                           \
    [TT_LAYOUT_VALUE_NAME] = 56, [TT_LAYOUT_VALUE_ERRORS] = 80, [TT_LAYOUT_VALUE_SIZE] = 104,                \
    [TT_LAYOUT_VALUE_1_SIZE] = 72

/* The constructor LoggingEvent(logger, message, level, [file, line]) writes them there; file and line came
 * with 9.4. */
#define LOG_NEW                                                                                              \
    [TT_LAYOUT_LOG_MESSAGE] = 32, [TT_LAYOUT_LOG_LEVEL] = 64, [TT_LAYOUT_LOG_FILE] = 120,                    \
    [TT_LAYOUT_LOG_LINE] = 152
#define LOG_OLD                                                                                              \
    [TT_LAYOUT_LOG_MESSAGE] = 8, [TT_LAYOUT_LOG_LEVEL] = 16, [TT_LAYOUT_LOG_FILE] = 48,                      \
    [TT_LAYOUT_LOG_LINE] = 56
#define LOG_93 [TT_LAYOUT_LOG_FILE] = TT_LAYOUT_ABSENT, [TT_LAYOUT_LOG_LINE] = TT_LAYOUT_ABSENT

/* WorkItem {DeviceImpl *dev; poll_list; wake_up_date; update; type; vector<string> name @40}: 9.3 has a
 * timeval and milliseconds, later ones times of std::chrono. */
#define POLL_93                                                                                              \
    [TT_LAYOUT_POLL_USEC] = 24, [TT_LAYOUT_POLL_PERIOD] = TT_LAYOUT_ABSENT, [TT_LAYOUT_POLL_PERIOD_MS] = 32
#define POLL_94                                                                                              \
    [TT_LAYOUT_POLL_USEC] = TT_LAYOUT_ABSENT, [TT_LAYOUT_POLL_PERIOD] = 24,                                  \
    [TT_LAYOUT_POLL_PERIOD_MS] = TT_LAYOUT_ABSENT

/* 9.3 took most strings by plain reference, 9.4 made them const. */
static const char *const is_93_new[] = {"_ZN5Tango11DeviceProxy14read_attributeER" NEW_STRING, NULL};
static const char *const is_93_old[] = {"_ZN5Tango11DeviceProxy14read_attributeERSs", NULL};
static const char *const is_new[] = {"_ZN5Tango11DeviceProxy14read_attributeERK" NEW_STRING, NULL};
static const char *const is_old[] = {"_ZN5Tango11DeviceProxy14read_attributeERKSs", NULL};
static const char *const is_10_new[] = {"_ZN5Tango11DeviceProxy14read_attributeERK" NEW_STRING,
                                        "_ZN5Tango12Device_6Impl6info_6Ev", NULL};
static const char *const is_10_old[] = {"_ZN5Tango11DeviceProxy14read_attributeERKSs",
                                        "_ZN5Tango12Device_6Impl6info_6Ev", NULL};
static const char *const none[] = {NULL};

const struct tt_layout tt_layouts[] = {
    {
        .name = "cppTango 9.3, new std::string",
        .present = is_93_new,
        .absent = none,
        .offset = {[TT_LAYOUT_PROXY_NAME] = 512,
                   [TT_LAYOUT_IMPL_NAME] = 24,
                   [TT_LAYOUT_IMPL_CLASS] = 136,
                   [TT_LAYOUT_CLASS_NAME] = 8,
                   [TT_LAYOUT_DEVICE_ATTRIBUTE_NAME] = 24,
                   [TT_LAYOUT_DEVICE_ATTRIBUTE_ERRORS] = 192,
                   [TT_LAYOUT_DEVICE_ATTRIBUTE_SIZE] = 224,
                   IDL_VALUES,
                   POLL_93,
                   LOG_93,
                   [TT_LAYOUT_LOG_MESSAGE] = 32,
                   [TT_LAYOUT_LOG_LEVEL] = 64},
    },
    {
        .name = "cppTango 10, new std::string",
        .present = is_10_new,
        .absent = none,
        .offset = {[TT_LAYOUT_PROXY_NAME] = 528,
                   [TT_LAYOUT_IMPL_NAME] = 24,
                   [TT_LAYOUT_IMPL_CLASS] = 136,
                   [TT_LAYOUT_CLASS_NAME] = 8,
                   [TT_LAYOUT_DEVICE_ATTRIBUTE_NAME] = 24,
                   [TT_LAYOUT_DEVICE_ATTRIBUTE_ERRORS] = 192,
                   [TT_LAYOUT_DEVICE_ATTRIBUTE_SIZE] = 224,
                   IDL_VALUES,
                   POLL_94,
                   LOG_NEW},
    },
    {
        .name = "cppTango 10, old std::string",
        .cow = true,
        .present = is_10_old,
        .absent = none,
        .offset = {[TT_LAYOUT_PROXY_NAME] = 408,
                   [TT_LAYOUT_IMPL_NAME] = 24,
                   [TT_LAYOUT_IMPL_CLASS] = 64,
                   [TT_LAYOUT_CLASS_NAME] = 8,
                   [TT_LAYOUT_DEVICE_ATTRIBUTE_NAME] = 24,
                   [TT_LAYOUT_DEVICE_ATTRIBUTE_ERRORS] = 168,
                   [TT_LAYOUT_DEVICE_ATTRIBUTE_SIZE] = 200,
                   IDL_VALUES,
                   POLL_94,
                   LOG_OLD},
    },
    {
        .name = "cppTango 9.4 or 9.5, new std::string",
        .present = is_new,
        .absent = none,
        /* the proxy's name: not seen; 10 less what lies between 9.5 and 10 with the old std::string, as
           in 9.3 */
        .offset = {[TT_LAYOUT_PROXY_NAME] = 512,
                   [TT_LAYOUT_IMPL_NAME] = 24,
                   [TT_LAYOUT_IMPL_CLASS] = 136,
                   [TT_LAYOUT_CLASS_NAME] = 8,
                   [TT_LAYOUT_DEVICE_ATTRIBUTE_NAME] = 24,
                   [TT_LAYOUT_DEVICE_ATTRIBUTE_ERRORS] = 192,
                   [TT_LAYOUT_DEVICE_ATTRIBUTE_SIZE] = 224,
                   IDL_VALUES,
                   POLL_94,
                   LOG_NEW},
    },
    {
        .name = "cppTango 9.4 or 9.5, old std::string",
        .cow = true,
        .present = is_old,
        .absent = none,
        .offset = {[TT_LAYOUT_PROXY_NAME] = 392,
                   [TT_LAYOUT_IMPL_NAME] = 24,
                   [TT_LAYOUT_IMPL_CLASS] = 64,
                   [TT_LAYOUT_CLASS_NAME] = 8,
                   [TT_LAYOUT_DEVICE_ATTRIBUTE_NAME] = 24,
                   [TT_LAYOUT_DEVICE_ATTRIBUTE_ERRORS] = 168,
                   [TT_LAYOUT_DEVICE_ATTRIBUTE_SIZE] = 200,
                   IDL_VALUES,
                   POLL_94,
                   LOG_OLD},
    },
    {
        .name = "cppTango 9.3, old std::string",
        .cow = true,
        .present = is_93_old,
        .absent = none,
        .offset = {[TT_LAYOUT_PROXY_NAME] = -1,
                   [TT_LAYOUT_IMPL_NAME] = 24,
                   [TT_LAYOUT_IMPL_CLASS] = -1,
                   [TT_LAYOUT_CLASS_NAME] = 8,
                   [TT_LAYOUT_DEVICE_ATTRIBUTE_NAME] = 24,
                   [TT_LAYOUT_DEVICE_ATTRIBUTE_ERRORS] = 168,
                   [TT_LAYOUT_DEVICE_ATTRIBUTE_SIZE] = 200,
                   IDL_VALUES,
                   POLL_93,
                   LOG_93,
                   [TT_LAYOUT_LOG_MESSAGE] = 8,
                   [TT_LAYOUT_LOG_LEVEL] = 16},
    },
};

const size_t tt_layout_count = TT_ARRAY_SIZE(tt_layouts);

/* Compiled against the headers of 4.2.5, 4.3.3 and 4.3.4, seen live in these and 4.3.1; descriptor_arguments:
 * compiled for 4.2.5, seen live in 4.3.4. connection_fd is that of SocketHolder, the second base of tcp-,
 * unix- and sslConnection alike. */
#define OMNI(id, response, descriptor, arguments)                                                            \
    {                                                                                                        \
        .stream_strand = 0x58, .stream_id = id, .strand_connection = 0x58, .strand_version = 0x88,           \
        .connection_fd = 0x28, .response_expected = response, .call_descriptor = descriptor,                 \
        .descriptor_op = 0x18, .descriptor_arguments = arguments,                                            \
    }

const struct tt_omni_layout tt_omni_layouts[] = {
    {"omniORB 4.2", ".so.2", OMNI(0xb0, 0x194, 0xd8, 0x88)},
    {"omniORB 4.3", ".so.3", OMNI(0xc0, 0x1a4, 0xe8, 0x90)},
};

const size_t tt_omni_layout_count = TT_ARRAY_SIZE(tt_omni_layouts);
