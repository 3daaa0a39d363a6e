/* SPDX-License-Identifier: GPL-2.0-only */
/* Native telemetry in the traced processes: one trace, nothing twice, nothing lost, whoever has it. */
#include "assemble/events.h"

static struct events e;
static bool server_is_native;
static unsigned told, hidden;

static bool native_server(void *context, uint32_t tgid)
{
    return server_is_native && tgid == 20;
}

static void native_client(void *context, uint32_t tgid)
{
    assert_int_equal(tgid, 10);
    told++;
}

/* What is left to native has native's ids. */
static void native_hidden(void *context, struct tt_span *span)
{
    const uint8_t trace_id[16] = {[15] = 7};

    assert_memory_equal(span->trace_id, trace_id, sizeof(trace_id));
    assert_true(span->hidden && span->unix_offset);
    if (span->kind == TT_SPAN_CLIENT)
        assert_int_equal(span->tgid, 10);
    hidden++;
    tt_span_free(&span);
}

static const struct tt_correlator_stats *joins(void)
{
    return tt_correlator_stats(e.correlator);
}

static void begin(bool adopt)
{
    struct tt_correlator_config config = {.native = adopt,
                                          .native_server = native_server,
                                          .native_client = native_client,
                                          .native_hidden = native_hidden};
    events_free(&e);
    events_init_correlated(&e, &config);
}

static int setup(void **state)
{
    server_is_native = false;
    told = hidden = 0;
    begin(true);
    return 0;
}

static int teardown(void **state)
{
    events_free(&e);
    memset(&e, 0, sizeof(e));
    return 0;
}

static void assert_in(const struct tt_span *span, unsigned trace, unsigned parent)
{
    const uint8_t trace_id[16] = {[15] = (uint8_t)trace}, parent_id[8] = {[7] = (uint8_t)parent};
    assert_memory_equal(span->trace_id, trace_id, sizeof(trace_id));
    assert_memory_equal(span->parent_id, parent_id, sizeof(parent_id));
}

static void wait_over(void)
{
    e.now += 3000000000ull;
    tt_correlator_tick(e.correlator, e.now);
    assert_int_equal(joins()->client_unmatched + joins()->server_unmatched + joins()->pending, 0);
}

/* One call of process 10 served by process 20, as far as contexts are known on either side. */
static void call(const char *sent, const char *received, bool server_first)
{
    struct tt_key client = tcp_key(4000, 2, true), server = tcp_key(4000, 2, false);
    enter(&e, 11, READ, 0x8000);
    if (!server_first)
        sends_context(&e, 11, 0x7000, client, sent);
    upcall_key(&e, 21, 0xa000, server);
    enter_context(&e, 21, READ_5, 0x9000, received);
    if (server_first)
        sends_context(&e, 11, 0x7000, client, sent);
    leave(&e, 21, READ_5, 0x9000);
    leave(&e, 11, READ, 0x8000);
    wait_over();
}

static void neither(void **state)
{
    server_is_native = true; /* but there is nothing to share a trace with */
    call(NULL, NULL, false);
    assert_int_equal(e.count, 2);
    assert_parent(span_of(&e, READ_5, 0), span_of(&e, READ, 0));
    assert_int_equal(joins()->joined, 1);
    assert_int_equal(told, 0);
}

static void client_only(void **state)
{
    for (int order = 0; order < 2; order++) {
        begin(true);
        call(w3c(7, 3), w3c(7, 3), order);
        assert_int_equal(e.count, 1);
        struct tt_span *server = span_of(&e, READ_5, 0);
        assert_in(server, 7, 3);
        assert_int_equal(server->proof, TT_PROOF_NATIVE);
        assert_true(server->parent_remote);
        assert_true(server->has_peer);
        assert_int_equal(server->peer_tgid, 10);
        assert_int_equal(server->root_tgid, 10);
        assert_true(server->top && server->native_trace);
        assert_int_equal(server->trace_flags, TT_W3C_SAMPLED);
        assert_int_equal(joins()->native_joined, 1);
        assert_int_equal(joins()->native_hidden, 1);
    }
    assert_int_equal(told, 2);
    assert_int_equal(hidden, 2);
}

static void both(void **state)
{
    server_is_native = true;
    for (int order = 0; order < 2; order++) {
        begin(true);
        call(w3c(7, 3), w3c(7, 3), order);
        assert_int_equal(e.count, 0);
        assert_int_equal(joins()->native_hidden, 2);
    }
    assert_int_equal(hidden, 4);
}

static void ignored(void **state)
{
    begin(false);
    server_is_native = true;
    call(w3c(7, 3), w3c(7, 3), false);
    assert_int_equal(e.count, 2);
    assert_parent(span_of(&e, READ_5, 0), span_of(&e, READ, 0));
    assert_int_equal(joins()->native_joined + joins()->native_hidden, 0);
    assert_int_equal(told, 0);
}

/* Asynchronous calls: the context is not found where the client sends it. */
static void unseen_at_client(void **state)
{
    for (int order = 0; order < 2; order++) {
        begin(true);
        call(NULL, w3c(7, 3), order);
        assert_int_equal(e.count, 1);
        assert_in(span_of(&e, READ_5, 0), 7, 3);
    }
}

/* The server's memory could not be read, or the client's telemetry is another agent's business. */
static void unseen_at_server(void **state)
{
    for (int order = 0; order < 2; order++) {
        begin(true);
        call(w3c(7, 3), NULL, order);
        assert_int_equal(e.count, 1);
        assert_in(span_of(&e, READ_5, 0), 7, 3);
        assert_int_equal(span_of(&e, READ_5, 0)->proof, TT_PROOF_REQUEST);
    }
}

static void unusable(void **state)
{
    call("00-nonsense", "00-nonsense", false);
    assert_int_equal(joins()->native_malformed, 2);
    assert_int_equal(e.count, 2);
    assert_parent(span_of(&e, READ_5, 0), span_of(&e, READ, 0));
    begin(true);
    const char *unsampled = "00-00000000000000000000000000000007-0000000000000003-00";
    call(unsampled, unsampled, false);
    assert_int_equal(e.count, 2);
    assert_parent(span_of(&e, READ_5, 0), span_of(&e, READ, 0));
}

/* The client is traced by another agent, or not at all. */
static void client_elsewhere(void **state)
{
    upcall(&e, 21, 0xa000, 4000, 2);
    enter_context(&e, 21, READ_5, 0x9000, w3c(7, 3));
    leave(&e, 21, READ_5, 0x9000);
    assert_int_equal(e.count, 1); /* at once: its parent is known */
    assert_in(span_of(&e, READ_5, 0), 7, 3);
    wait_over();
}

/* What a method calls goes under its span, or under native's client span if the method's is native's. */
static void calls_inside(bool method_is_native)
{
    server_is_native = method_is_native;
    enter(&e, 11, READ, 0x8000);
    sends_context(&e, 11, 0x7000, tcp_key(4000, 2, true), w3c(7, 3));
    upcall(&e, 21, 0xa000, 4000, 2);
    enter_context(&e, 21, READ_5, 0x9000, w3c(7, 3));
    enter(&e, 21, COMMAND, 0x8000); /* ping, say: native sends no context with it */
    sends(&e, 21, 0x7000, 4001, 2);
    upcall(&e, 31, 0xa000, 4001, 2);
    enter(&e, 31, COMMAND_2, 0x9000);
    leave(&e, 31, COMMAND_2, 0x9000);
    leave(&e, 21, COMMAND, 0x8000);
    leave(&e, 21, READ_5, 0x9000);
    leave(&e, 11, READ, 0x8000);
    struct tt_span *inner = span_of(&e, COMMAND, 0), *last = span_of(&e, COMMAND_2, 0);
    if (method_is_native) {
        assert_in(inner, 7, 3);
        assert_true(inner->parent_remote);
    } else {
        assert_parent(inner, span_of(&e, READ_5, 0));
        assert_false(inner->parent_remote);
    }
    assert_parent(last, inner);
    assert_memory_equal(last->trace_id, inner->trace_id, 16);
    assert_int_equal(last->unix_offset, inner->unix_offset);
    assert_int_equal(last->root_tgid, 10);
    assert_int_equal(e.count, method_is_native ? 2 : 3);
    wait_over();
}

static void inside_ours(void **state)
{
    calls_inside(false);
}

static void inside_natives(void **state)
{
    calls_inside(true);
}

/* A call that first had to connect: ours has a child already and stays, but it is not the request's client.
 */
static void with_children(void **state)
{
    enter(&e, 11, READ, 0x8000);
    enter(&e, 11, CONNECT, 0x7800);
    leave(&e, 11, CONNECT, 0x7800);
    sends_context(&e, 11, 0x7000, tcp_key(4000, 2, true), w3c(7, 3));
    upcall(&e, 21, 0xa000, 4000, 2);
    enter_context(&e, 21, READ_5, 0x9000, w3c(7, 3));
    leave(&e, 21, READ_5, 0x9000);
    leave(&e, 11, READ, 0x8000);
    assert_parent(span_of(&e, CONNECT, 0), span_of(&e, READ, 0));
    assert_true(is_root(span_of(&e, READ, 0)));
    assert_int_equal(span_of(&e, READ, 0)->kind, TT_SPAN_INTERNAL);
    assert_in(span_of(&e, READ_5, 0), 7, 3);
    wait_over();
}

static void inside_one_process(void **state)
{
    enter(&e, 11, READ, 0x9000);
    enter_context(&e, 11, READ_5, 0x8000, w3c(7, 3));
    leave(&e, 11, READ_5, 0x8000);
    leave(&e, 11, READ, 0x9000);
    assert_int_equal(e.count, 1);
    assert_in(span_of(&e, READ_5, 0), 7, 3);
}

/* Which process began the trace is a guess of the server's side, by what the client says, until the client's
 * side is seen. */
static void root_is_guessed(void **state)
{
    upcall(&e, 11, 0xa000, 5000, 2);
    enter(&e, 11, COMMAND_2, 0x9000); /* 10 itself serves 30 */
    enter(&e, 31, COMMAND, 0x8000);
    sends(&e, 31, 0x7000, 5000, 2);
    enter(&e, 11, READ, 0x8000);
    upcall(&e, 21, 0xa000, 4000, 2);
    enter_context(&e, 21, READ_5, 0x9000, w3c(7, 3)); /* "of process 10" */
    sends_context(&e, 11, 0x7000, tcp_key(4000, 2, true), w3c(7, 3));
    leave(&e, 21, READ_5, 0x9000);
    assert_int_equal(span_of(&e, READ_5, 0)->root_tgid, 30);
}

/* Native has no span for what an admin device does. */
static void admin_device(void **state)
{
    server_is_native = true;
    upcall(&e, 21, 0xa000, 4000, 2);
    struct draft *d = draft(&e, TT_EVENT_ENTER, 21, COMMAND_4, 0x9000, 0x9000);
    draft_string(d, TT_FIELD_DEVICE, 0, "dserver/tangotest/test");
    draft_string(d, TT_FIELD_CLASS, 0, "DServer");
    draft_string(d, TT_FIELD_TRACE_PARENT, 0, w3c(7, 3));
    feed(&e, d);
    leave(&e, 21, COMMAND_4, 0x9000);
    assert_int_equal(e.count, 1);
    assert_in(span_of(&e, COMMAND_4, 0), 7, 3);
    assert_int_equal(joins()->native_hidden, 0);
}

/* What it waits for is native's: there is no span of ours that a link could lead to. */
static void waits_for_natives(void **state)
{
    server_is_native = true;
    enter(&e, 11, READ, 0x8000);
    sends_context(&e, 11, 0x7000, tcp_key(4000, 2, true), w3c(7, 3));
    upcall(&e, 21, 0xa000, 4000, 2);
    enter_context(&e, 21, READ_5, 0x9000, w3c(7, 3));
    enter(&e, 22, POLL, 0x9000);
    struct draft *d = draft(&e, TT_EVENT_ENTER, 22, WAIT, 0x8000, 0x8000);
    draft_u64(d, TT_FIELD_HOLDER, 21);
    feed(&e, d);
    leave(&e, 22, WAIT, 0x8000);
    leave(&e, 22, POLL, 0x9000);
    assert_int_equal(span_of(&e, POLL, 0)->holder, 21);
    assert_false(span_of(&e, POLL, 0)->linked);
    leave(&e, 21, READ_5, 0x9000);
    leave(&e, 11, READ, 0x8000);
    assert_int_equal(e.count, 1);
    wait_over();
}

/* Native's traces are not kept for ever, nor capped: beyond the caps of ours they go on. */
static void long_lasting(void **state)
{
    struct tt_correlator_config config = {.native = true, .max_spans = 3};
    events_free(&e);
    events_init_correlated(&e, &config);
    for (uint32_t i = 0; i < 10; i++) {
        upcall(&e, 21, 0xa000, 4000, 2 * i);
        enter_context(&e, 21, READ_5, 0x9000, w3c(7, 3));
        leave(&e, 21, READ_5, 0x9000);
    }
    for (size_t i = 0; i < 10; i++) {
        assert_in(span_of(&e, READ_5, i), 7, 3);
        assert_int_equal(span_of(&e, READ_5, i)->unix_offset, span_of(&e, READ_5, 0)->unix_offset);
    }
    for (uint32_t i = 0; i < 5000; i++) { /* more than are remembered */
        upcall(&e, 21, 0xa000, 4000, 2 * i + 100);
        enter_context(&e, 21, READ_5, 0x9000, w3c(i + 1, 3));
        leave(&e, 21, READ_5, 0x9000);
    }
    assert_int_equal(joins()->native_joined, 5010);
    wait_over();
    e.now += 400000000000ull;
    tt_correlator_tick(e.correlator, e.now);
    upcall(&e, 21, 0xa000, 4000, 2); /* of a trace that is forgotten: its clock is looked at again */
    enter_context(&e, 21, READ_5, 0x9000, w3c(5000, 3));
    leave(&e, 21, READ_5, 0x9000);
    const struct tt_span *last = e.spans[e.count - 1];
    assert_int_equal(last->unix_offset, test_offset(NULL, last->start));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(neither),         TEST(client_only),      TEST(both),
        TEST(ignored),         TEST(unseen_at_client), TEST(unseen_at_server),
        TEST(unusable),        TEST(client_elsewhere), TEST(inside_ours),
        TEST(inside_natives),  TEST(with_children),    TEST(inside_one_process),
        TEST(root_is_guessed), TEST(admin_device),     TEST(waits_for_natives),
        TEST(long_lasting),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
