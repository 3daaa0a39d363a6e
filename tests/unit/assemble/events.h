/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * events.h: makes events as the BPF programs write them, feeds them to an assembler and keeps the spans that
 * come out. Thread tid belongs to process tid / 10 * 10; every event is 1 us after the one before.
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "assemble/assemble.h"
#include "base/cleanup.h"
#include "correlate/correlate.h"

enum {
    READ,          /* client, one */
    READ_CHAR,     /* client, one: calls READ */
    COMMAND,       /* client, one */
    CONNECT,       /* client, many */
    CONSTRUCT,     /* client, many */
    READ_5,        /* server */
    WRITE_READ_5,  /* server: calls READ_5 */
    COMMAND_4,     /* server: jumps to COMMAND_2 */
    COMMAND_2,     /* server */
    ON_CONNECTION, /* client, one: perhaps no DeviceProxy */
    ASYNCH,        /* client, asynchronous */
    SUBMIT,
    WORKER,
    REFUSED,
    REPLY,
    METHOD, /* of a device class in C++ */
    PYTHON, /* called by an interpreter */
    SEND,
    UPCALL,
    CATCH,
    SWITCH,
    LOG,
    POLL,
    PUSH,
    TOPIC,
    COUNTER,
    RECEIVE,
    BEAT,
    START,        /* the first part of a server's start */
    START_SERVER, /* the next one */
    EXPORT,       /* called by that */
    STOP_SERVER,  /* the first part of its end */
    STOP_DEVICE,  /* the next one */
    SUBSCRIBE,
    WAIT,     /* for a monitor */
    BIRTH,    /* of a device */
    INIT,     /* what follows that: no events of its own */
    DATABASE, /* client, many: of the database */
    ROWS,
};

static const struct tt_row test_rows[ROWS] = {
    [READ] = {.role = TT_ROLE_CLIENT, .name = "Tango::DeviceProxy::read_attribute", .verb = "read"},
    [READ_CHAR] = {.role = TT_ROLE_CLIENT,
                   .name = "Tango::DeviceProxy::read_attribute(char)",
                   .verb = "read"},
    [COMMAND] = {.role = TT_ROLE_CLIENT, .name = "Tango::Connection::command_inout", .verb = "command"},
    [CONNECT] = {.role = TT_ROLE_MANY, .name = "Tango::Connection::connect", .verb = "connect"},
    [CONSTRUCT] = {.role = TT_ROLE_MANY, .name = "Tango::DeviceProxy::DeviceProxy", .verb = "construct"},
    [DATABASE] = {.role = TT_ROLE_MANY, .name = "Tango::Database::import_device", .verb = "import_device"},
    [READ_5] = {.role = TT_ROLE_SERVER, .name = "Tango::Device_5Impl::read_attributes_5", .verb = "read"},
    [WRITE_READ_5] = {.role = TT_ROLE_SERVER, .name = "Tango::Device_5Impl::write_read_attributes_5"},
    [COMMAND_4] = {.role = TT_ROLE_SERVER, .name = "Tango::Device_4Impl::command_inout_4", .verb = "command"},
    [COMMAND_2] = {.role = TT_ROLE_SERVER, .name = "Tango::Device_2Impl::command_inout_2", .verb = "command"},
    [ON_CONNECTION] = {.role = TT_ROLE_CLIENT,
                       .name = "Tango::Connection::command_inout",
                       .verb = "command",
                       .argument = {{TT_FIELD_DEVICE, TT_VALUE_CONNECTION_NAME, 0}}},
    [ASYNCH] = {.role = TT_ROLE_ASYNCH, .name = "Tango::DeviceProxy::read_attributes_asynch", .verb = "read"},
    [SUBMIT] = {.role = TT_ROLE_SUBMIT, .name = "omniObjRef::_invoke_async"},
    [WORKER] = {.role = TT_ROLE_WORKER, .name = "omni::AsyncRequest::execute"},
    [REFUSED] = {.role = TT_ROLE_REFUSED, .name = "omni::DIICallDescriptor::userException"},
    [REPLY] = {.role = TT_ROLE_REPLY, .name = "Tango::DeviceProxy::read_attributes_reply", .verb = "reply"},
    [METHOD] = {.role = TT_ROLE_METHOD, .name = "TangoTest.read_ampli"},
    [PYTHON] = {.library = TT_LIBRARY_PYTHON,
                .role = TT_ROLE_METHOD,
                .name = "PyObject_CallMethod",
                .argument = {{TT_FIELD_PY_RESULT, TT_VALUE_RETURNED_PY, TT_ARGUMENT_RETURNED}}},
    [SEND] = {.role = TT_ROLE_REQUEST},
    [UPCALL] = {.role = TT_ROLE_UPCALL, .name = "omniCallHandle::upcall"},
    [CATCH] = {.role = TT_ROLE_CATCH},
    [SWITCH] = {.role = TT_ROLE_SWITCH},
    [LOG] = {.role = TT_ROLE_LOG, .name = "log4tango::Logger::call_appenders"},
    [POLL] = {.role = TT_ROLE_POLL, .name = "Tango::PollThread::poll_attr", .verb = "poll"},
    [PUSH] = {.role = TT_ROLE_PUSH, .name = "Tango::ZmqEventSupplier::push_event", .verb = "push"},
    [TOPIC] = {.role = TT_ROLE_TOPIC, .name = "Tango::ZmqEventSupplier::create_full_event_name"},
    [COUNTER] = {.role = TT_ROLE_COUNTER, .name = "Tango::ZmqCallInfo::operator>>="},
    [BEAT] = {.role = TT_ROLE_BEAT,
              .name = "Tango::ZmqEventConsumer::push_heartbeat_event",
              .verb = "received"},
    [RECEIVE] = {.role = TT_ROLE_RECEIVE, .name = "Tango::ZmqEventConsumer::push_zmq_event", .verb = "event"},
    [START] = {.role = TT_ROLE_LIFE, .name = "Tango::Util::init", .verb = "start"},
    [START_SERVER] = {.role = TT_ROLE_LIFE, .name = "Tango::Util::server_init", .verb = "start server"},
    [EXPORT] = {.role = TT_ROLE_LIFE, .name = "Tango::DeviceClass::export_device", .verb = "export"},
    [STOP_SERVER] = {.role = TT_ROLE_LIFE, .name = "Tango::Util::unregister_server", .verb = "stop server"},
    [STOP_DEVICE] = {.role = TT_ROLE_LIFE, .name = "Tango::DeviceClass::delete_dev", .verb = "stop device"},
    [SUBSCRIBE] = {.role = TT_ROLE_MANY,
                   .name = "Tango::DeviceProxy::subscribe_event",
                   .verb = "subscribe_event"},
    [WAIT] = {.role = TT_ROLE_WAIT, .name = "Tango::TangoMonitor::wait"},
    [BIRTH] = {.role = TT_ROLE_BIRTH, .name = "Tango::Device_3Impl::real_ctor"},
    [INIT] = {.role = TT_ROLE_METHOD, .name = "{class}.init_device"},
};

static inline const struct tt_row *test_row(void *context, uint32_t point)
{
    return point < ROWS ? &test_rows[point] : NULL;
}

/* The same rows, whose client functions call code of others: a greenlet can be parked inside. */
static inline const struct tt_row *foreign_row(void *context, uint32_t point)
{
    static struct tt_row rows[ROWS];
    if (point >= ROWS)
        return NULL;
    rows[point] = test_rows[point];
    rows[point].foreign = true;
    return &rows[point];
}

#define MAX_TIDS 1000

struct events {
    struct tt_assembler *assembler;
    struct tt_correlator *correlator; /* NULL: the recorder below stands in */
    uint64_t now;
    uint32_t sequence[MAX_TIDS], start[MAX_TIDS];
    bool switching;
    uint64_t ids;
    size_t requests;
    struct tt_span **spans; /* in the order they were closed or emitted */
    size_t count, capacity;
    struct tt_log *logs[32]; /* in the order they came */
    size_t log_count;
    size_t pushed;              /* events that are known with topic and number */
    bool clocked;               /* events tell how long their threads were .. */
    uint64_t off_cpu[MAX_TIDS]; /* .. not on a CPU */
};

/* ---- where spans go --------------------------------------------------------------------------- */

static inline void keep_span(void *context, struct tt_span *span)
{
    struct events *e = context;
    if (e->count == e->capacity) {
        e->capacity = e->capacity ? e->capacity * 2 : 64;
        e->spans = realloc(e->spans, e->capacity * sizeof(struct tt_span *));
        assert_non_null(e->spans);
    }
    e->spans[e->count++] = span;
}

static inline void keep_log(void *context, struct tt_log *log)
{
    struct events *e = context;
    assert_true(e->log_count < sizeof(e->logs) / sizeof(e->logs[0]));
    e->logs[e->log_count++] = log;
}

/* As correlate does: the span is only known during the call. */
static inline void record_log(void *context, struct tt_log *log)
{
    log->in_span = log->span != NULL;
    if (log->span)
        memcpy(log->span_id, log->span->span_id, sizeof(log->span_id));
    log->span = NULL;
    keep_log(context, log);
}

static inline void record_pushed(void *context, struct tt_span *span, uint64_t time)
{
    struct events *e = context;
    e->pushed++;
}

static inline void record_open(void *context, struct tt_span *span)
{
    struct events *e = context;
    e->ids++;
    memcpy(span->span_id, &e->ids, sizeof(span->span_id));
    if (span->parent)
        memcpy(span->parent_id, span->parent->span_id, sizeof(span->parent_id));
    if (span->answers) {
        span->linked = true;
        memcpy(span->link_span, span->answers->span_id, sizeof(span->link_span));
    }
}

static inline void record_request(void *context, struct tt_span *span, const struct tt_key *key,
                                  uint64_t time)
{
    struct events *e = context;
    assert_non_null(span);
    e->requests++;
}

static inline bool test_switching(void *context, uint32_t tgid)
{
    struct events *e = context;
    return e->switching;
}

typedef const struct tt_row *(*row_fn)(void *context, uint32_t point);

static inline void events_init_rows(struct events *e, row_fn rows)
{
    memset(e, 0, sizeof(*e));
    e->now = 1000000;
    struct tt_assembler_ops ops = {.open = record_open,
                                   .request = record_request,
                                   .close = keep_span,
                                   .log = record_log,
                                   .pushed = record_pushed,
                                   .context = e};
    e->assembler = tt_assembler_new(&ops, rows, NULL);
    assert_non_null(e->assembler);
    tt_assembler_set_switching(e->assembler, test_switching, e);
}

static inline void events_init(struct events *e)
{
    events_init_rows(e, test_row);
}

static inline int64_t test_offset(void *context, uint64_t now)
{
    return 1000000000000ll + (int64_t)now;
}

static inline void events_init_correlated_rows(struct events *e, const struct tt_correlator_config *config,
                                               row_fn rows)
{
    struct tt_correlator_config c = config ? *config : (struct tt_correlator_config){0};
    memset(e, 0, sizeof(*e));
    e->now = 1000000;
    c.seed = c.seed ?: 7;
    c.unix_offset = c.unix_offset ?: test_offset;
    c.log = keep_log;
    e->correlator = tt_correlator_new(&c, keep_span, e);
    assert_non_null(e->correlator);
    struct tt_assembler_ops ops = tt_correlator_ops(e->correlator);
    e->assembler = tt_assembler_new(&ops, rows, NULL);
    assert_non_null(e->assembler);
    tt_assembler_set_switching(e->assembler, test_switching, e);
}

static inline void events_init_correlated(struct events *e, const struct tt_correlator_config *config)
{
    events_init_correlated_rows(e, config, test_row);
}

static inline void events_free(struct events *e)
{
    tt_assembler_free(&e->assembler);
    tt_correlator_free(&e->correlator);
    for (size_t i = 0; i < e->count; i++)
        tt_span_free(&e->spans[i]);
    for (size_t i = 0; i < e->log_count; i++)
        tt_log_free(&e->logs[i]);
    free(e->spans);
}

static inline const struct tt_assembler_stats *stats(const struct events *e)
{
    return tt_assembler_stats(e->assembler);
}

/* ---- one event -------------------------------------------------------------------------------- */

struct draft {
    union {
        struct tt_event header;
        unsigned char bytes[TT_EVENT_MAX];
    };
};

static inline void draft_u64(struct draft *d, int field, uint64_t value);

static inline struct draft *draft(struct events *e, int type, uint32_t tid, uint32_t point, uint64_t frame,
                                  uint64_t sp)
{
    static struct draft d;
    memset(&d.header, 0, sizeof(d.header));
    assert_true(tid < MAX_TIDS);
    d.header = (struct tt_event){.time = e->now += 1000,
                                 .tgid = tid / 10 * 10,
                                 .tid = tid,
                                 .sequence = ++e->sequence[tid],
                                 .thread_start = e->start[tid] + 1,
                                 .type = (uint16_t)type,
                                 .size = sizeof(struct tt_event),
                                 .point = point,
                                 .frame = frame,
                                 .sp = sp};
    if (e->clocked)
        draft_u64(&d, TT_FIELD_OFF_CPU, e->off_cpu[tid]);
    return &d;
}

static inline void draft_field(struct draft *d, int field, int status, int index, int aux, const void *data,
                               size_t size)
{
    struct tt_field_header header = {.field = (uint8_t)field,
                                     .status = (uint8_t)status,
                                     .index = (uint8_t)index,
                                     .aux = (uint8_t)aux,
                                     .size = (uint16_t)size};
    assert_true(d->header.size + sizeof(header) + size + 8 <= TT_EVENT_MAX);
    memcpy(d->bytes + d->header.size, &header, sizeof(header));
    d->header.size += sizeof(header);
    if (size)
        memcpy(d->bytes + d->header.size, data, size);
    memset(d->bytes + d->header.size + size, 0, 8);
    d->header.size += (size + 7) & ~7u;
    d->header.fields++;
}

static inline void draft_string(struct draft *d, int field, int index, const char *text)
{
    draft_field(d, field, TT_STATUS_OK, index, 1, text, strlen(text));
}

static inline void draft_u64(struct draft *d, int field, uint64_t value)
{
    draft_field(d, field, TT_STATUS_OK, 0, 0, &value, sizeof(value));
}

static inline void feed(struct events *e, const struct draft *d)
{
    tt_assembler_event(e->assembler, d, d->header.size);
}

/* ---- whole events ----------------------------------------------------------------------------- */

static inline void enter(struct events *e, uint32_t tid, uint32_t row, uint64_t frame)
{
    struct draft *d = draft(e, TT_EVENT_ENTER, tid, row, frame, frame);
    draft_string(d, TT_FIELD_DEVICE, 0, "sys/tg_test/1");
    if (test_rows[row].role == TT_ROLE_SERVER)
        draft_string(d, TT_FIELD_CLASS, 0, "TangoTest");
    feed(e, d);
}

static inline void leave(struct events *e, uint32_t tid, uint32_t row, uint64_t frame)
{
    feed(e, draft(e, TT_EVENT_EXIT, tid, row, frame, frame - 64));
}

#define CXX_CLASS 0x474e5543432b2b00ull

static inline void catch_class(struct events *e, uint32_t tid, uint64_t sp, uint64_t exception_class)
{
    struct draft *d = draft(e, TT_EVENT_CATCH, tid, CATCH, sp, sp);
    struct tt_exception exception = {.exception_class = exception_class, .object = 0x5000, .errors = 2};
    draft_field(d, TT_FIELD_EXCEPTION, TT_STATUS_OK, 0, 0, &exception, sizeof(exception));
    draft_string(d, TT_FIELD_TYPE, 0, "N5Tango9DevFailedE");
    draft_string(d, TT_FIELD_REASON, 0, "API_First");
    draft_string(d, TT_FIELD_DESC, 0, "thrown first");
    draft_string(d, TT_FIELD_ORIGIN, 0, "TangoTest::x");
    draft_string(d, TT_FIELD_REASON, 1, "API_Second");
    feed(e, d);
}

static inline void catches(struct events *e, uint32_t tid, uint64_t sp)
{
    catch_class(e, tid, sp, CXX_CLASS);
}

static inline struct tt_key tcp_key(uint32_t client_port, uint32_t id, bool client)
{
    struct tt_key key = {.request_id = id, .fd = 5, .giop_major = 1, .giop_minor = 2, .response_expected = 1};
    uint64_t loopback = 0x0100007f; /* 127.0.0.1 in network order on a little-endian host */
    key.connection = (struct tt_connection){.family = 2,
                                            .netns = 1,
                                            .local_port = (uint16_t)(client ? client_port : 10000),
                                            .remote_port = (uint16_t)(client ? 10000 : client_port),
                                            .local = {loopback},
                                            .remote = {loopback}};
    return key;
}

static inline struct tt_key unix_key(uint64_t client_socket, uint64_t client_inode, uint64_t server_socket,
                                     uint64_t server_inode, uint32_t id, bool client)
{
    struct tt_key key = {.request_id = id, .fd = 5, .giop_major = 1, .giop_minor = 2, .response_expected = 1};
    key.connection.family = 1;
    uint64_t c[2] = {client_socket, client_inode}, s[2] = {server_socket, server_inode};
    memcpy(key.connection.local, client ? c : s, sizeof(c));
    memcpy(key.connection.remote, client ? s : c, sizeof(c));
    return key;
}

static inline void sends_key(struct events *e, uint32_t tid, uint64_t sp, struct tt_key key)
{
    struct draft *d = draft(e, TT_EVENT_REQUEST, tid, SEND, sp, sp);
    draft_field(d, TT_FIELD_KEY, TT_STATUS_OK, 0, 0, &key, sizeof(key));
    draft_string(d, TT_FIELD_OPERATION, 0, "read_attributes_5");
    feed(e, d);
}

/* What native telemetry sends with a request: trace number, its client span's number. */
static inline const char *w3c(unsigned trace, unsigned span)
{
    static char text[64];
    snprintf(text, sizeof(text), "00-%032x-%016x-01", trace, span);
    return text;
}

static inline void sends_context(struct events *e, uint32_t tid, uint64_t sp, struct tt_key key,
                                 const char *context)
{
    struct draft *d = draft(e, TT_EVENT_REQUEST, tid, SEND, sp, sp);
    draft_field(d, TT_FIELD_KEY, TT_STATUS_OK, 0, 0, &key, sizeof(key));
    draft_string(d, TT_FIELD_OPERATION, 0, "read_attributes_5");
    if (context)
        draft_string(d, TT_FIELD_TRACE_PARENT, 0, context);
    feed(e, d);
}

/* A server's method whose ClntIdent names process 10. */
static inline void enter_context(struct events *e, uint32_t tid, uint32_t row, uint64_t frame,
                                 const char *context)
{
    struct tt_client_ident ident = {.language = 2, .pid = 10};
    struct draft *d = draft(e, TT_EVENT_ENTER, tid, row, frame, frame);
    draft_string(d, TT_FIELD_DEVICE, 0, "sys/tg_test/1");
    draft_string(d, TT_FIELD_CLASS, 0, "TangoTest");
    draft_field(d, TT_FIELD_CLIENT, TT_STATUS_OK, 0, 0, &ident, sizeof(ident));
    if (context)
        draft_string(d, TT_FIELD_TRACE_PARENT, 0, context);
    feed(e, d);
}

static inline void sends(struct events *e, uint32_t tid, uint64_t sp, uint32_t port, uint32_t id)
{
    sends_key(e, tid, sp, tcp_key(port, id, true));
}

static inline void upcall_key(struct events *e, uint32_t tid, uint64_t frame, struct tt_key key)
{
    struct draft *d = draft(e, TT_EVENT_UPCALL, tid, UPCALL, frame, frame);
    draft_field(d, TT_FIELD_KEY, TT_STATUS_OK, 0, 0, &key, sizeof(key));
    draft_string(d, TT_FIELD_OPERATION, 0, "read_attributes_5");
    feed(e, d);
}

static inline void upcall(struct events *e, uint32_t tid, uint64_t frame, uint32_t port, uint32_t id)
{
    upcall_key(e, tid, frame, tcp_key(port, id, false));
}

/* A log message of level 400 (WARN). */
static inline void writes(struct events *e, uint32_t tid, uint64_t frame, const char *message)
{
    struct draft *d = draft(e, TT_EVENT_ENTER, tid, LOG, frame, frame);
    draft_string(d, TT_FIELD_LOGGER, 0, "sys/tg_test/1");
    draft_u64(d, TT_FIELD_LEVEL, 400);
    draft_string(d, TT_FIELD_FILE, 0, "TangoTest.cpp");
    draft_u64(d, TT_FIELD_LINE, 815);
    draft_string(d, TT_FIELD_MESSAGE, 0, message);
    feed(e, d);
}

/* An event goes out, from entry to exit at `frame`. */
static inline void pushes(struct events *e, uint32_t tid, uint64_t frame, const char *topic, uint32_t number)
{
    struct draft *d;
    enter(e, tid, PUSH, frame);
    d = draft(e, TT_EVENT_EXIT, tid, TOPIC, frame - 0x200, frame - 0x280);
    draft_string(d, TT_FIELD_TOPIC, 0, topic);
    feed(e, d);
    d = draft(e, TT_EVENT_EXIT, tid, TOPIC, frame - 0x200, frame - 0x280);
    draft_string(d, TT_FIELD_TOPIC, 0, "that of the counter");
    feed(e, d);
    d = draft(e, TT_EVENT_ENTER, tid, COUNTER, frame - 0x200, frame - 0x200);
    draft_u64(d, TT_FIELD_COUNTER, number);
    feed(e, d);
    leave(e, tid, PUSH, frame);
}

static inline void receives(struct events *e, uint32_t tid, uint64_t frame, const char *topic,
                            uint32_t number)
{
    struct draft *d = draft(e, TT_EVENT_ENTER, tid, RECEIVE, frame, frame);
    draft_string(d, TT_FIELD_TOPIC, 0, topic);
    draft_u64(d, TT_FIELD_EVENT_ERROR, 0xdead00);
    draft_u64(d, TT_FIELD_COUNTER, number);
    feed(e, d);
}

static inline void thread_ends(struct events *e, uint32_t tid)
{
    feed(e, draft(e, TT_EVENT_THREAD_EXIT, tid, 0, 0, 0));
}

/* The next event of the thread is lost. */
static inline void lose(struct events *e, uint32_t tid)
{
    e->sequence[tid]++;
    e->now += 1000;
}

/* ---- what came out ---------------------------------------------------------------------------- */

/* By name: the rows may be copies. */
static inline bool is_row(const struct tt_span *span, uint32_t row)
{
    return !strcmp(span->row->name, test_rows[row].name);
}

static inline struct tt_span *nth(const struct events *e, uint32_t row, bool further, size_t n)
{
    for (size_t i = 0; i < e->count; i++)
        if (is_row(e->spans[i], row) && e->spans[i]->further == further && !n--)
            return e->spans[i];
    fail_msg("no such span of %s", test_rows[row].name);
    return NULL;
}

/* The n-th span of a row, from 0. */
static inline struct tt_span *span_of(const struct events *e, uint32_t row, size_t n)
{
    return nth(e, row, false, n);
}

/* The n-th span of a request that the row's function sent besides its own. */
static inline struct tt_span *further_of(const struct events *e, uint32_t row, size_t n)
{
    return nth(e, row, true, n);
}

static inline size_t spans_of(const struct events *e, uint32_t row)
{
    size_t n = 0;
    for (size_t i = 0; i < e->count; i++)
        n += is_row(e->spans[i], row);
    return n;
}

static inline bool is_root(const struct tt_span *span)
{
    static const uint8_t zero[8];
    return !memcmp(span->parent_id, zero, sizeof(zero));
}

static inline void assert_parent(const struct tt_span *child, const struct tt_span *parent)
{
    assert_memory_equal(child->parent_id, parent->span_id, 8);
}
