/* SPDX-License-Identifier: GPL-2.0-only */
/* The two sides of a call become one trace, or none is claimed. */
#include "assemble/events.h"

static struct events e;

static const struct tt_correlator_stats *joins(void)
{
    return tt_correlator_stats(e.correlator);
}

static int setup(void **state)
{
    events_init_correlated(&e, NULL);
    return 0;
}

static int teardown(void **state)
{
    events_free(&e);
    return 0;
}

static void again(const struct tt_correlator_config *config)
{
    events_free(&e);
    events_init_correlated(&e, config);
}

static void assert_same_trace(const struct tt_span *a, const struct tt_span *b)
{
    assert_memory_equal(a->trace_id, b->trace_id, 16);
    assert_int_equal(a->unix_offset, b->unix_offset);
}

static void wait_over(void)
{
    e.now += 3000000000ull;
    tt_correlator_tick(e.correlator, e.now);
}

/* A method served on `tid`, from upcall to exit. */
static void serves(uint32_t tid, struct tt_key key)
{
    upcall_key(&e, tid, 0xa000, key);
    enter(&e, tid, READ_5, 0x9000);
    leave(&e, tid, READ_5, 0x9000);
}

static void asks(uint32_t tid, struct tt_key key)
{
    enter(&e, tid, READ, 0x8000);
    sends_key(&e, tid, 0x7000, key);
    leave(&e, tid, READ, 0x8000);
}

/* ---- joining ---------------------------------------------------------------------------------- */

static void client_first(void **state)
{
    enter(&e, 11, READ, 0x8000);
    sends(&e, 11, 0x7000, 4000, 2);
    serves(21, tcp_key(4000, 2, false));
    assert_int_equal(e.count, 1); /* joined: need not wait for the client's end */
    leave(&e, 11, READ, 0x8000);
    struct tt_span *client = span_of(&e, READ, 0), *server = span_of(&e, READ_5, 0);
    assert_parent(server, client);
    assert_same_trace(server, client);
    assert_int_equal(server->proof, TT_PROOF_REQUEST);
    assert_int_equal(client->proof, TT_PROOF_NONE);
    assert_true(server->parent_remote);
    assert_true(is_root(client));
    assert_true(client->has_peer && server->has_peer);
    assert_int_equal(client->trigger, TT_TRIGGER_UNKNOWN);     /* nothing sets off what a client does .. */
    assert_int_equal(client->root_trigger, TT_TRIGGER_CLIENT); /* .. but that all else */
    assert_int_equal(server->root_trigger, TT_TRIGGER_CLIENT);
    assert_int_equal(client->peer_tgid, 20);
    assert_int_equal(server->peer_tgid, 10);
    assert_string_equal(client->peer_class, "TangoTest");
    assert_string_equal(client->peer_device, "sys/tg_test/1");
    assert_int_equal(client->unix_offset, 1000000000000ll + (int64_t)client->start);
    assert_int_equal(joins()->joined, 1);
    assert_int_equal(joins()->pending, 0);
    wait_over();
    assert_int_equal(joins()->client_unmatched + joins()->server_unmatched, 0);
}

/* What sampling goes by: every span of a trace knows what began it, also across processes. */
static void what_set_it_off(void **state)
{
    enter(&e, 21, READ_5, 0x9000); /* outside of any request: polling */
    enter(&e, 21, READ, 0x8000);
    serves(31, tcp_key(4000, 2, false)); /* waits for its client */
    sends(&e, 21, 0x7000, 4000, 2);
    leave(&e, 21, READ, 0x8000);
    leave(&e, 21, READ_5, 0x9000);
    struct tt_span *root = span_of(&e, READ_5, 1), *server = span_of(&e, READ_5, 0);
    assert_int_equal(root->tgid, 20);
    assert_int_equal(server->trigger, TT_TRIGGER_CLIENT);
    assert_int_equal(server->root_trigger, TT_TRIGGER_POLLING);
    assert_int_equal(span_of(&e, READ, 0)->root_trigger, TT_TRIGGER_POLLING);
    assert_int_equal(root->root_trigger, TT_TRIGGER_POLLING);
    assert_true(root->top && !server->top && !span_of(&e, READ, 0)->top);
    assert_int_equal(root->trace_flags, TT_W3C_SAMPLED | TT_W3C_RANDOM);
    assert_int_equal(server->trace_flags, TT_W3C_SAMPLED | TT_W3C_RANDOM);
    assert_false(root->native_trace || server->native_trace);
}

static void server_first(void **state)
{
    enter(&e, 11, READ, 0x8000);
    serves(21, tcp_key(4000, 2, false)); /* its events overtook the client's */
    assert_int_equal(e.count, 0);
    assert_int_equal(joins()->pending, 1);
    sends(&e, 11, 0x7000, 4000, 2);
    assert_int_equal(e.count, 1);
    leave(&e, 11, READ, 0x8000);
    assert_parent(span_of(&e, READ_5, 0), span_of(&e, READ, 0));
    assert_same_trace(span_of(&e, READ_5, 0), span_of(&e, READ, 0));
    assert_int_equal(span_of(&e, READ, 0)->peer_tgid, 20);
    assert_string_equal(span_of(&e, READ, 0)->peer_class, "TangoTest");
}

/* Client 10 -> leader 20 -> follower 30 -> another 40; `order` bits: the server's upcall comes before the
 * request. */
static void chain(unsigned order)
{
    static const uint32_t tid[4] = {11, 21, 31, 41};
    enter(&e, 11, READ, 0x8000);
    for (unsigned i = 0; i < 3; i++) {
        struct tt_key client = tcp_key(4000 + i, 2, true), server = tcp_key(4000 + i, 2, false);
        if (!(order & (1u << i)))
            sends_key(&e, tid[i], 0x7000, client);
        upcall_key(&e, tid[i + 1], 0xa000, server);
        enter(&e, tid[i + 1], READ_5, 0x9000);
        if (i < 2)
            enter(&e, tid[i + 1], READ, 0x8000);
    }
    for (unsigned i = 3; i-- > 0;) {
        leave(&e, tid[i + 1], READ_5, 0x9000);
        if (order & (1u << i))
            sends_key(&e, tid[i], 0x7000, tcp_key(4000 + i, 2, true));
        leave(&e, tid[i], READ, 0x8000);
    }
}

static void leader_and_followers_in_every_order(void **state)
{
    for (unsigned order = 0; order < 8; order++) {
        again(NULL);
        chain(order);
        assert_int_equal(e.count, 6);
        assert_int_equal(joins()->joined, 3);
        assert_int_equal(joins()->pending, 0);
        struct tt_span *client[4] = {0}, *server[4] = {0};
        for (size_t i = 0; i < e.count; i++) {
            assert_same_trace(e.spans[i], e.spans[0]);
            (e.spans[i]->kind == TT_SPAN_CLIENT ? client : server)[e.spans[i]->tgid / 10 - 1] = e.spans[i];
        }
        for (int i = 0; i < 3; i++) {
            assert_parent(server[i + 1], client[i]);
            if (i)
                assert_parent(client[i], server[i]);
            assert_int_equal(client[i]->depth, 2 * i);
            assert_int_equal(server[i + 1]->depth, 2 * i + 1);
        }
        assert_true(is_root(client[0]));
    }
}

static void one_way(void **state)
{
    asks(11, tcp_key(4000, 2, true)); /* over before the server has seen it */
    assert_int_equal(e.count, 1);
    assert_false(e.spans[0]->has_peer);
    serves(21, tcp_key(4000, 2, false));
    assert_parent(e.spans[1], e.spans[0]);
    assert_same_trace(e.spans[1], e.spans[0]);
    assert_int_equal(e.spans[1]->peer_tgid, 10);
}

static void several_requests_of_one_call(void **state)
{
    enter(&e, 11, READ, 0x8000);
    sends(&e, 11, 0x7000, 4000, 2);
    serves(21, tcp_key(4000, 2, false));
    sends(&e, 11, 0x7000, 4001, 2);
    serves(31, tcp_key(4001, 2, false));
    leave(&e, 11, READ, 0x8000);
    assert_parent(span_of(&e, READ_5, 0), span_of(&e, READ, 0));
    assert_parent(span_of(&e, READ_5, 1), further_of(&e, READ, 0));
    assert_int_equal(span_of(&e, READ, 0)->peer_tgid, 20);
}

static void same_process_over_the_wire(void **state)
{
    enter(&e, 11, READ, 0x8000);
    sends(&e, 11, 0x7000, 4000, 2);
    serves(12, tcp_key(4000, 2, false));
    leave(&e, 11, READ, 0x8000);
    assert_int_equal(span_of(&e, READ_5, 0)->proof, TT_PROOF_REQUEST);
    assert_false(span_of(&e, READ_5, 0)->parent_remote);
}

static void untraced_client(void **state)
{
    serves(21, tcp_key(4000, 2, false));
    assert_int_equal(e.count, 0);
    wait_over();
    assert_int_equal(e.count, 1);
    assert_true(is_root(e.spans[0]));
    assert_int_equal(e.spans[0]->incomplete, 0);
    assert_int_equal(joins()->server_unmatched, 1);
    assert_int_equal(joins()->pending, 0);
}

static void untraced_client_long_call(void **state)
{
    upcall(&e, 21, 0xa000, 4000, 2);
    enter(&e, 21, READ_5, 0x9000);
    wait_over();
    enter(&e, 21, READ, 0x8000);
    leave(&e, 21, READ, 0x8000);
    assert_int_equal(e.count, 1); /* the root is decided: children leave at once */
    leave(&e, 21, READ_5, 0x9000);
    assert_parent(e.spans[0], e.spans[1]);
    assert_same_trace(e.spans[0], e.spans[1]);
}

static void untraced_server(void **state)
{
    asks(11, tcp_key(4000, 2, true));
    assert_int_equal(e.count, 1);
    wait_over();
    assert_int_equal(joins()->client_unmatched, 1);
}

static void bare_upcall_uses_up_the_request(void **state)
{
    asks(11, tcp_key(4000, 2, true));
    upcall(&e, 21, 0xa000, 4000, 2);
    upcall(&e, 21, 0xa000, 4000, 4);
    assert_int_equal(joins()->joined, 1);
    assert_parent(span_of(&e, UPCALL, 0), span_of(&e, READ, 0));
    wait_over();
    assert_int_equal(joins()->client_unmatched, 0);
}

static void pending_spans_are_relabelled(void **state)
{
    enter(&e, 11, READ, 0x8000);
    upcall(&e, 21, 0xa000, 4000, 2);
    enter(&e, 21, READ_5, 0x9000);
    for (int i = 0; i < 3; i++) {
        enter(&e, 21, COMMAND, 0x8000);
        sends(&e, 21, 0x7000, 5000, 2 + 2 * (uint32_t)i);
        serves(31, tcp_key(5000, 2 + 2 * (uint32_t)i, false));
        leave(&e, 21, COMMAND, 0x8000);
    }
    leave(&e, 21, READ_5, 0x9000);
    assert_int_equal(e.count, 0);
    assert_int_equal(joins()->pending, 7);
    sends(&e, 11, 0x7000, 4000, 2);
    assert_int_equal(e.count, 7);
    leave(&e, 11, READ, 0x8000);
    for (size_t i = 0; i < e.count; i++)
        assert_same_trace(e.spans[i], e.spans[7]);
    for (size_t i = 0; i < 3; i++) {
        struct tt_span *client = span_of(&e, COMMAND, i);
        struct tt_span *server = span_of(&e, READ_5, i);
        assert_parent(server, client);
        assert_int_equal(client->depth, 2);
        assert_int_equal(server->depth, 3);
    }
}

/* ---- what is the same connection --------------------------------------------------------------- */

static void unix_sockets_are_crosswise(void **state)
{
    asks(11, unix_key(0xc1, 101, 0x51, 201, 2, true));
    serves(21, unix_key(0xc1, 101, 0x51, 201, 2, false));
    serves(31, unix_key(0x51, 201, 0xc1, 101, 4, false)); /* not mirrored */
    assert_int_equal(joins()->joined, 1);
    assert_parent(e.spans[1], e.spans[0]);
}

static void unix_sockets_have_several_lives(void **state)
{
    asks(11, unix_key(0xc1, 101, 0x51, 201, 2, true));
    asks(11, unix_key(0xc1, 102, 0x51, 202, 2, true));
    serves(21, unix_key(0xc1, 102, 0x51, 202, 2, false));
    serves(21, unix_key(0xc1, 101, 0x51, 201, 2, false));
    assert_int_equal(joins()->joined, 2);
    assert_parent(span_of(&e, READ_5, 0), span_of(&e, READ, 1));
    assert_parent(span_of(&e, READ_5, 1), span_of(&e, READ, 0));
}

static void unknown_inodes(void **state)
{
    asks(11, unix_key(0xc1, 101, 0x51, 0, 2, true)); /* not accepted yet */
    asks(11, unix_key(0xc1, 102, 0x51, 202, 2, true));
    serves(21, unix_key(0xc1, 101, 0x51, 201, 2, false));
    serves(21, unix_key(0xc1, 0, 0x51, 202, 2, false)); /* client closed already */
    assert_int_equal(joins()->joined, 2);
    assert_parent(span_of(&e, READ_5, 0), span_of(&e, READ, 0));
    assert_parent(span_of(&e, READ_5, 1), span_of(&e, READ, 1));
}

/* What is known of one end is enough to tell two lives of an address apart. */
static void one_inode_differs(void **state)
{
    asks(11, unix_key(0xc1, 101, 0x51, 201, 2, true));
    serves(21, unix_key(0xc1, 0, 0x51, 202, 2, false));
    serves(21, unix_key(0xc1, 102, 0x51, 0, 2, false));
    assert_int_equal(joins()->joined, 0);
    serves(21, unix_key(0xc1, 0, 0x51, 201, 2, false));
    assert_int_equal(joins()->joined, 1);
}

static void ambiguous_clients(void **state)
{
    asks(11, unix_key(0xc1, 101, 0x51, 0, 2, true));
    asks(12, unix_key(0xc1, 102, 0x51, 0, 2, true));
    serves(21, unix_key(0xc1, 0, 0x51, 201, 2, false));
    assert_int_equal(joins()->ambiguous, 1);
    assert_int_equal(joins()->joined, 0);
    assert_true(is_root(span_of(&e, READ_5, 0)));
    assert_int_equal(span_of(&e, READ_5, 0)->incomplete, TT_INCOMPLETE_PARENT);
    wait_over();
    assert_int_equal(joins()->client_unmatched, 2);
}

static void ambiguous_servers(void **state)
{
    serves(21, unix_key(0xc1, 0, 0x51, 201, 2, false));
    serves(31, unix_key(0xc1, 0, 0x51, 202, 2, false));
    asks(11, unix_key(0xc1, 101, 0x51, 0, 2, true));
    assert_int_equal(joins()->ambiguous, 2);
    assert_int_equal(joins()->joined, 0);
    assert_int_equal(e.count, 3);
    for (size_t i = 0; i < e.count; i++)
        assert_true(is_root(e.spans[i]));
}

static void loopback_of_another_namespace(void **state)
{
    struct tt_key server = tcp_key(4000, 2, false);
    server.connection.netns = 2;
    asks(11, tcp_key(4000, 2, true));
    serves(21, server);
    assert_int_equal(joins()->joined, 0);
    server.connection.netns = 0; /* unknown */
    serves(22, server);
    assert_int_equal(joins()->joined, 1);
}

static void other_addresses_cross_namespaces(void **state)
{
    struct tt_key client = tcp_key(4000, 2, true), server = tcp_key(4000, 2, false);
    client.connection.local[0] = server.connection.remote[0] = 0x0200000a;
    client.connection.remote[0] = server.connection.local[0] = 0x0300000a;
    server.connection.netns = 2;
    asks(11, client);
    serves(21, server);
    assert_int_equal(joins()->joined, 1);
}

static void ipv6_loopback(void **state)
{
    struct tt_key client = tcp_key(4000, 2, true), server = tcp_key(4000, 2, false);
    uint8_t one[16] = {[15] = 1};
    client.connection.family = server.connection.family = 10;
    memcpy(client.connection.local, one, 16);
    memcpy(client.connection.remote, one, 16);
    memcpy(server.connection.local, one, 16);
    memcpy(server.connection.remote, one, 16);
    server.connection.netns = 2;
    asks(11, client);
    serves(21, server);
    assert_int_equal(joins()->joined, 0);
    server.connection.netns = 1;
    serves(22, server);
    assert_int_equal(joins()->joined, 1);
}

static void other_ids_and_ports(void **state)
{
    asks(11, tcp_key(4000, 2, true));
    serves(21, tcp_key(4000, 4, false));
    serves(21, tcp_key(4001, 2, false));
    struct tt_key nothing = {0};
    serves(21, nothing); /* connection not known: a root at once */
    assert_int_equal(joins()->joined, 0);
    assert_int_equal(e.count, 2);
}

static void late(void **state)
{
    asks(11, tcp_key(4000, 2, true));
    e.now += 2500000000ull;
    serves(21, tcp_key(4000, 2, false));
    assert_int_equal(joins()->joined, 0);
    assert_int_equal(joins()->late, 1);
    wait_over();
    assert_true(is_root(span_of(&e, READ_5, 0)));
}

/* Its client has waited for all that time: it is the end of the call that counts. */
static void late_in_a_long_call(void **state)
{
    enter(&e, 11, READ, 0x8000);
    sends(&e, 11, 0x7000, 4000, 2);
    e.now += 3000000000ull;
    tt_correlator_tick(e.correlator, e.now);
    catches(&e, 11, 0x8000); /* timed out */
    serves(21, tcp_key(4000, 2, false));
    assert_int_equal(joins()->joined, 1);
    assert_int_equal(joins()->late, 0);
    assert_parent(span_of(&e, READ_5, 0), span_of(&e, READ, 0));
}

/* A server that is busy takes up the request when it can; the client still waits. */
static void late_for_a_patient_client(void **state)
{
    enter(&e, 11, READ, 0x8000);
    sends(&e, 11, 0x7000, 4000, 2);
    e.now += 30000000000ull;
    tt_correlator_tick(e.correlator, e.now);
    serves(21, tcp_key(4000, 2, false));
    leave(&e, 11, READ, 0x8000);
    assert_int_equal(joins()->joined, 1);
    assert_int_equal(joins()->late, 0);
}

static void ports_come_back(void **state)
{
    for (int i = 0; i < 5; i++) {
        asks(11, tcp_key(4000, 2, true));
        serves(21, tcp_key(4000, 2, false));
        assert_parent(span_of(&e, READ_5, (size_t)i), span_of(&e, READ, (size_t)i));
    }
    assert_int_equal(joins()->joined, 5);
}

static void own_descendant_is_no_parent(void **state)
{
    upcall(&e, 21, 0xa000, 4000, 2);
    enter(&e, 21, READ_5, 0x9000);
    enter(&e, 21, READ, 0x8000);
    sends(&e, 21, 0x7000, 4000, 2); /* forged: the key of the request being served */
    leave(&e, 21, READ, 0x8000);
    leave(&e, 21, READ_5, 0x9000);
    assert_int_equal(joins()->joined, 0);
    assert_int_equal(joins()->ambiguous, 1);
    assert_int_equal(e.count, 2);
    assert_true(is_root(span_of(&e, READ_5, 0)));
}

/* ---- caps and bounds --------------------------------------------------------------------------- */

static void depth_cap(void **state)
{
    again(&(struct tt_correlator_config){.max_depth = 3});
    chain(0);
    assert_int_equal(joins()->split, 1);
    size_t roots = 0, linked = 0;
    for (size_t i = 0; i < e.count; i++) {
        struct tt_span *span = e.spans[i];
        roots += is_root(span);
        if (!span->split)
            continue;
        assert_true(is_root(span));
        assert_int_equal(span->tgid, 30);
        assert_int_equal(span->kind, TT_SPAN_SERVER);
        for (size_t k = 0; k < e.count; k++)
            if (!memcmp(e.spans[k]->span_id, span->split_span, 8)) {
                assert_int_equal(e.spans[k]->tgid, 20);
                assert_memory_equal(e.spans[k]->trace_id, span->split_trace, 16);
                linked++;
            }
    }
    assert_int_equal(roots, 2);
    assert_int_equal(linked, 1);
}

static void depth_cap_by_nesting(void **state)
{
    again(&(struct tt_correlator_config){.max_depth = 4});
    for (unsigned i = 0; i < 10; i++)
        enter(&e, 11, i % 2 ? CONNECT : CONSTRUCT, 0x90000 - i * 0x100);
    for (unsigned i = 10; i-- > 0;)
        leave(&e, 11, i % 2 ? CONNECT : CONSTRUCT, 0x90000 - i * 0x100);
    assert_int_equal(joins()->split, 2);
    assert_int_equal(joins()->traces, 3);
    for (size_t i = 0; i < e.count; i++)
        assert_true(e.spans[i]->depth < 4);
}

static void span_cap(void **state)
{
    again(&(struct tt_correlator_config){.max_spans = 10});
    enter(&e, 11, CONSTRUCT, 0x9000);
    for (uint32_t i = 0; i < 15; i++)
        asks(11, tcp_key(4000, 2 + i, true));
    leave(&e, 11, CONSTRUCT, 0x9000);
    assert_int_equal(joins()->split, 6);
    assert_int_equal(e.count, 16);
    struct tt_span *root = span_of(&e, CONSTRUCT, 0);
    for (size_t i = 0; i < 15; i++) {
        struct tt_span *span = span_of(&e, READ, i);
        assert_int_equal(span->split, i >= 9);
        assert_int_equal(span->root_trigger, TT_TRIGGER_CLIENT); /* of a further part as of the first */
        if (span->split) {
            assert_memory_equal(span->split_trace, root->trace_id, 16);
            assert_memory_equal(span->split_span, root->span_id, 8);
            assert_int_equal(span->proof, TT_PROOF_NONE);
        } else {
            assert_parent(span, root);
        }
    }
}

/* What comes with a request that is joined counts, too. */
static void span_cap_of_joined(void **state)
{
    again(&(struct tt_correlator_config){.max_spans = 7});
    enter(&e, 11, CONSTRUCT, 0x9000);
    enter(&e, 11, READ, 0x8000);
    upcall(&e, 21, 0xa000, 4000, 2);
    enter(&e, 21, READ_5, 0x9000);
    for (uint32_t i = 0; i < 4; i++)
        asks(21, tcp_key(5000, 2 + i, true));
    leave(&e, 21, READ_5, 0x9000);
    sends(&e, 11, 0x7000, 4000, 2);
    leave(&e, 11, READ, 0x8000);
    assert_int_equal(joins()->joined, 1);
    assert_int_equal(joins()->split, 0);
    asks(11, tcp_key(4000, 4, true));
    leave(&e, 11, CONSTRUCT, 0x9000);
    assert_int_equal(joins()->split, 1);
}

/* Also of what no client has set off. */
static void split_of_polling(void **state)
{
    again(&(struct tt_correlator_config){.max_spans = 2});
    enter(&e, 21, POLL, 0x9000);
    for (uint32_t i = 0; i < 2; i++)
        asks(21, tcp_key(4000, 2 + i, true));
    leave(&e, 21, POLL, 0x9000);
    assert_true(span_of(&e, READ, 1)->split);
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(span_of(&e, READ, i)->root_trigger, TT_TRIGGER_POLLING);
}

static void age_cap(void **state)
{
    enter(&e, 11, CONSTRUCT, 0x9000);
    asks(11, tcp_key(4000, 2, true));
    e.now += 301000000000ull;
    asks(11, tcp_key(4000, 4, true));
    leave(&e, 11, CONSTRUCT, 0x9000);
    assert_false(span_of(&e, READ, 0)->split);
    assert_true(span_of(&e, READ, 1)->split);
}

static void keys_are_bounded(void **state)
{
    again(&(struct tt_correlator_config){.max_keys = 100});
    for (uint32_t i = 0; i < 300; i++)
        asks(11, tcp_key(4000, i, true));
    assert_int_equal(joins()->evicted, 200);
    serves(21, tcp_key(4000, 10, false));
    serves(21, tcp_key(4000, 250, false));
    assert_int_equal(joins()->joined, 1);
    for (uint32_t i = 0; i < 300; i++)
        serves(21, tcp_key(5000, i, false));
    assert_int_equal(joins()->evicted, 200 + 201);
    assert_int_equal(e.count, 300 + 302 - 100);
    tt_correlator_flush(e.correlator);
    assert_int_equal(e.count, 602);
    assert_int_equal(joins()->pending, 0);
}

static void pending_spans_are_bounded(void **state)
{
    again(&(struct tt_correlator_config){.max_pending = 50});
    for (uint32_t i = 0; i < 80; i++)
        serves(21, tcp_key(5000, i, false));
    assert_int_equal(joins()->pending, 50);
    assert_int_equal(joins()->evicted, 30);
    assert_int_equal(e.count, 30);
    assert_int_equal(e.spans[0]->incomplete, TT_INCOMPLETE_PARENT);
    tt_correlator_flush(e.correlator);
    assert_int_equal(e.count, 80);
    assert_int_equal(joins()->emitted, 80);
}

static void pending_spans_are_freed(void **state)
{
    serves(21, tcp_key(5000, 2, false));
    upcall(&e, 22, 0xa000, 5000, 4);
    enter(&e, 22, READ_5, 0x9000);
    assert_int_equal(e.count, 0); /* teardown frees both, says the sanitizer */
}

static void ids_follow_the_seed(void **state)
{
    uint8_t id[16];
    asks(11, tcp_key(4000, 2, true));
    memcpy(id, e.spans[0]->trace_id, sizeof(id));
    again(NULL);
    asks(11, tcp_key(4000, 2, true));
    assert_memory_equal(id, e.spans[0]->trace_id, sizeof(id));
    again(&(struct tt_correlator_config){.seed = 8});
    asks(11, tcp_key(4000, 2, true));
    assert_memory_not_equal(id, e.spans[0]->trace_id, sizeof(id));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(client_first),
        TEST(server_first),
        TEST(what_set_it_off),
        TEST(leader_and_followers_in_every_order),
        TEST(one_way),
        TEST(several_requests_of_one_call),
        TEST(same_process_over_the_wire),
        TEST(untraced_client),
        TEST(untraced_client_long_call),
        TEST(untraced_server),
        TEST(bare_upcall_uses_up_the_request),
        TEST(pending_spans_are_relabelled),
        TEST(unix_sockets_are_crosswise),
        TEST(unix_sockets_have_several_lives),
        TEST(unknown_inodes),
        TEST(one_inode_differs),
        TEST(ambiguous_clients),
        TEST(ambiguous_servers),
        TEST(loopback_of_another_namespace),
        TEST(other_addresses_cross_namespaces),
        TEST(ipv6_loopback),
        TEST(other_ids_and_ports),
        TEST(late),
        TEST(late_in_a_long_call),
        TEST(late_for_a_patient_client),
        TEST(ports_come_back),
        TEST(own_descendant_is_no_parent),
        TEST(depth_cap),
        TEST(depth_cap_by_nesting),
        TEST(span_cap),
        TEST(span_cap_of_joined),
        TEST(split_of_polling),
        TEST(age_cap),
        TEST(keys_are_bounded),
        TEST(pending_spans_are_bounded),
        TEST(pending_spans_are_freed),
        TEST(ids_follow_the_seed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
