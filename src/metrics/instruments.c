/* SPDX-License-Identifier: GPL-2.0-only */
#include "metrics/instruments.h"

#include "base/cleanup.h"

#define MS(ms) ((uint64_t)((ms)*1e6 + 0.5))

/* docs/rpc/rpc-metrics.md of the semantic conventions, and five bounds below their first: most calls of Tango
 * take less than its 5 ms, and would all be in one bucket. */
static const uint64_t rpc_bounds[] = {MS(0.1),  MS(0.25), MS(0.5),  MS(1),    MS(2.5),  MS(5),   MS(10),
                                      MS(25),   MS(50),   MS(75),   MS(100),  MS(250),  MS(500), MS(750),
                                      MS(1000), MS(2500), MS(5000), MS(7500), MS(10000)};
/* Tempo: ExponentialBuckets(0.002, 2, 14) and ExponentialBuckets(0.1, 2, 8). */
static const uint64_t span_bounds[] = {MS(2),   MS(4),   MS(8),    MS(16),   MS(32),   MS(64),   MS(128),
                                       MS(256), MS(512), MS(1024), MS(2048), MS(4096), MS(8192), MS(16384)};
static const uint64_t edge_bounds[] = {MS(100),  MS(200),  MS(400),  MS(800),
                                       MS(1600), MS(3200), MS(6400), MS(12800)};

/* Slots of the families. */
enum { BEATS_SENT, BEATS_RECEIVED, BEATS_SLOTS };
enum { RPC_DURATION, RPC_SLOTS = TT_HISTOGRAM_SLOTS(TT_ARRAY_SIZE(rpc_bounds)) };
enum {
    SPANS_CALLS,
    SPANS_SIZE,
    SPANS_LATENCY,
    SPANS_SLOTS = SPANS_LATENCY + TT_HISTOGRAM_SLOTS(TT_ARRAY_SIZE(span_bounds))
};
enum {
    EDGES_REQUESTS,
    EDGES_FAILED,
    EDGES_SERVER,
    EDGES_CLIENT = EDGES_SERVER + TT_HISTOGRAM_SLOTS(TT_ARRAY_SIZE(edge_bounds)),
    EDGES_SLOTS = EDGES_CLIENT + TT_HISTOGRAM_SLOTS(TT_ARRAY_SIZE(edge_bounds)),
};
enum { EVENTS_LOST, EVENTS_LATENCY, EVENTS_SLOTS = EVENTS_LATENCY + RPC_SLOTS };

#define RPC_LABELS                                                                                           \
    [TT_RPC_SYSTEM] = {"rpc.system.name", .fixed = "tango"},                                                 \
    [TT_RPC_METHOD] = {"rpc.method", .level = TT_LABEL_COARSE},                                              \
    [TT_RPC_CLASS] = {"tango.device.class", .level = TT_LABEL_COARSE},                                       \
    [TT_RPC_OPERATION] = {"tango.operation.name", .level = TT_LABEL_COARSE},                                 \
    [TT_RPC_CLIENT] = {"tango.client.name", .level = TT_LABEL_COARSE},                                       \
    [TT_RPC_ERROR] = {"error.type", .level = TT_LABEL_COARSE},                                               \
    [TT_RPC_DEVICE] = {"tango.operation.target", .level = TT_LABEL_FINE},                                    \
    [TT_RPC_ATTRIBUTE] = {"tango.attribute.name", .level = TT_LABEL_FINE}

#define OWN_LABELS                                                                                           \
    [TT_OWN_CLASS] = {"tango.device.class", .level = TT_LABEL_COARSE}, [TT_OWN_DEVICE] = {                   \
                                                                           "tango.operation.target",         \
                                                                           .level = TT_LABEL_FINE}

const struct tt_family tt_families[TT_FAMILIES] = {
    [TT_FAMILY_CLIENT] = {.labels = {RPC_LABELS}, .slots = RPC_SLOTS, .histograms = 1},
    [TT_FAMILY_SERVER] = {.labels = {RPC_LABELS}, .slots = RPC_SLOTS, .histograms = 1},
    [TT_FAMILY_CLIENT_UNMEASURED] = {.labels = {RPC_LABELS, [TT_RPC_REASON] = {"reason"}}, .slots = 1},
    [TT_FAMILY_SERVER_UNMEASURED] = {.labels = {RPC_LABELS, [TT_RPC_REASON] = {"reason"}}, .slots = 1},
    [TT_FAMILY_SPANS] = {.labels = {[TT_SPANS_SERVICE] = {"service", .level = TT_LABEL_COARSE},
                                    [TT_SPANS_NAME] = {"span_name", .level = TT_LABEL_COARSE},
                                    [TT_SPANS_KIND] = {"span_kind"},
                                    [TT_SPANS_STATUS] = {"status_code"}},
                         .slots = SPANS_SLOTS,
                         .histograms = 1},
    [TT_FAMILY_EDGES] = {.labels = {[TT_EDGES_CLIENT] = {"client", .level = TT_LABEL_COARSE},
                                    [TT_EDGES_SERVER] = {"server", .level = TT_LABEL_COARSE},
                                    [TT_EDGES_TYPE] = {"connection_type"}},
                         .slots = EDGES_SLOTS,
                         .histograms = 2},
    [TT_FAMILY_POLLING] = {.labels = {OWN_LABELS}, .slots = RPC_SLOTS, .histograms = 1},
    [TT_FAMILY_EVENTS] =
        {.labels = {OWN_LABELS, [TT_OWN_TYPE] = {"tango.event.type", .level = TT_LABEL_COARSE},
                    [TT_OWN_CLIENT] = {"tango.client.name", .level = TT_LABEL_COARSE}},
         .slots = EVENTS_SLOTS,
         .histograms = 1},
    [TT_FAMILY_MONITOR] = {.labels = {OWN_LABELS}, .slots = RPC_SLOTS, .histograms = 1},
    [TT_FAMILY_CLASSES] = {.labels = {[TT_DEVICES_CLASS] = {"tango.device.class", .level = TT_LABEL_COARSE}},
                           .slots = 1},
    [TT_FAMILY_BEATS] = {.labels = {[TT_BEATS_SERVER] = {"tango.server.name", .level = TT_LABEL_COARSE},
                                    [TT_BEATS_PROGRAM] = {"tango.program.name", .level = TT_LABEL_COARSE}},
                         .slots = BEATS_SLOTS},
    [TT_FAMILY_DEVICES] = {.labels = {[TT_DEVICES_CLASS] = {"tango.device.class", .level = TT_LABEL_COARSE},
                                      [TT_DEVICES_NAME] = {"tango.operation.target", .level = TT_LABEL_FINE}},
                           .slots = 1},
    [TT_FAMILY_USAGE] = {.labels = {[TT_USAGE_DEVICE] = {"device"},
                                    [TT_USAGE_CLASS] = {"class"},
                                    [TT_USAGE_CLIENT] = {"client"},
                                    [TT_USAGE_OPERATION] = {"operation"}},
                         .slots = TT_USAGE_SLOTS},
};

const struct tt_instrument tt_instruments[TT_INSTRUMENTS] = {
    [TT_CLIENT_DURATION] = {.family = TT_FAMILY_CLIENT,
                            .type = TT_METRIC_HISTOGRAM,
                            .name = "rpc.client.call.duration",
                            .unit = "s",
                            .help = "Duration of calls, from the client's side",
                            .slot = RPC_DURATION,
                            .present = RPC_DURATION,
                            .bounds = rpc_bounds,
                            .bound_count = TT_ARRAY_SIZE(rpc_bounds)},
    [TT_SERVER_DURATION] = {.family = TT_FAMILY_SERVER,
                            .type = TT_METRIC_HISTOGRAM,
                            .name = "rpc.server.call.duration",
                            .unit = "s",
                            .help = "Duration of calls, from the server's side",
                            .slot = RPC_DURATION,
                            .present = RPC_DURATION,
                            .bounds = rpc_bounds,
                            .bound_count = TT_ARRAY_SIZE(rpc_bounds)},
    [TT_CLIENT_UNMEASURED] = {.family = TT_FAMILY_CLIENT_UNMEASURED,
                              .type = TT_METRIC_COUNTER,
                              .name = "tango.client.call.unmeasured",
                              .unit = "{call}",
                              .help = "Calls of which no duration is known, from the client's side"},
    [TT_SERVER_UNMEASURED] = {.family = TT_FAMILY_SERVER_UNMEASURED,
                              .type = TT_METRIC_COUNTER,
                              .name = "tango.server.call.unmeasured",
                              .unit = "{call}",
                              .help = "Calls of which no duration is known, from the server's side"},
    [TT_SPAN_CALLS] = {.family = TT_FAMILY_SPANS,
                       .type = TT_METRIC_COUNTER,
                       .name = "traces_spanmetrics_calls_total",
                       .unit = "",
                       .help = "Spans",
                       .slot = SPANS_CALLS,
                       .present = SPANS_CALLS},
    [TT_SPAN_SIZE] = {.family = TT_FAMILY_SPANS,
                      .type = TT_METRIC_COUNTER,
                      .name = "traces_spanmetrics_size_total",
                      .unit = "", /* with "By" Prometheus would add a suffix */
                      .help = "Size of spans as OTLP protobuf, bytes",
                      .slot = SPANS_SIZE,
                      .present = SPANS_CALLS},
    [TT_SPAN_LATENCY] = {.family = TT_FAMILY_SPANS,
                         .type = TT_METRIC_HISTOGRAM,
                         .name = "traces_spanmetrics_latency",
                         .unit = "", /* seconds; with "s" Prometheus would add a suffix */
                         .help = "Duration of spans, seconds",
                         .slot = SPANS_LATENCY,
                         .present = SPANS_CALLS,
                         .bounds = span_bounds,
                         .bound_count = TT_ARRAY_SIZE(span_bounds)},
    [TT_EDGE_REQUESTS] = {.family = TT_FAMILY_EDGES,
                          .type = TT_METRIC_COUNTER,
                          .name = "traces_service_graph_request_total",
                          .unit = "",
                          .help = "Requests between two nodes, counted by the agent of the client",
                          .slot = EDGES_REQUESTS,
                          .present = EDGES_REQUESTS},
    [TT_EDGE_FAILED] = {.family = TT_FAMILY_EDGES,
                        .type = TT_METRIC_COUNTER,
                        .name = "traces_service_graph_request_failed_total",
                        .unit = "",
                        .help = "Of these, failed",
                        .slot = EDGES_FAILED,
                        .present = EDGES_FAILED},
    [TT_EDGE_SERVER] = {.family = TT_FAMILY_EDGES,
                        .type = TT_METRIC_HISTOGRAM,
                        .name = "traces_service_graph_request_server_seconds",
                        .unit = "s",
                        .help = "Duration of requests between two nodes, from the server's side",
                        .slot = EDGES_SERVER,
                        .present = EDGES_SERVER,
                        .bounds = edge_bounds,
                        .bound_count = TT_ARRAY_SIZE(edge_bounds)},
    [TT_EDGE_CLIENT] = {.family = TT_FAMILY_EDGES,
                        .type = TT_METRIC_HISTOGRAM,
                        .name = "traces_service_graph_request_client_seconds",
                        .unit = "s",
                        .help = "Duration of requests between two nodes, from the client's side",
                        .slot = EDGES_CLIENT,
                        .present = EDGES_CLIENT,
                        .bounds = edge_bounds,
                        .bound_count = TT_ARRAY_SIZE(edge_bounds),
                        .histogram = 1},
    [TT_POLLING_LATENESS] = {.family = TT_FAMILY_POLLING,
                             .type = TT_METRIC_HISTOGRAM,
                             .name = "tango.polling.lateness",
                             .unit = "s",
                             .help = "How much later than planned objects were polled; 0: not later",
                             .slot = RPC_DURATION,
                             .present = RPC_DURATION,
                             .bounds = rpc_bounds,
                             .bound_count = TT_ARRAY_SIZE(rpc_bounds)},
    [TT_EVENT_LATENCY] = {.family = TT_FAMILY_EVENTS,
                          .type = TT_METRIC_HISTOGRAM,
                          .name = "tango.event.latency",
                          .unit = "s",
                          .help = "Time from the push of an event to its receipt",
                          .slot = EVENTS_LATENCY,
                          .present = EVENTS_LATENCY,
                          .bounds = rpc_bounds,
                          .bound_count = TT_ARRAY_SIZE(rpc_bounds)},
    [TT_EVENT_LOST] = {.family = TT_FAMILY_EVENTS,
                       .type = TT_METRIC_COUNTER,
                       .name = "tango.event.lost",
                       .unit = "{event}",
                       .help = "Events that should have come before those received",
                       .slot = EVENTS_LOST,
                       .present = EVENTS_LOST},
    [TT_MONITOR_WAIT] = {.family = TT_FAMILY_MONITOR,
                         .type = TT_METRIC_HISTOGRAM,
                         .name = "tango.monitor.wait",
                         .unit = "s",
                         .help =
                             "How long requests waited for a monitor, of those that are told (--detail full)",
                         .slot = RPC_DURATION,
                         .present = RPC_DURATION,
                         .bounds = rpc_bounds,
                         .bound_count = TT_ARRAY_SIZE(rpc_bounds)},
    [TT_DEVICES] = {.family = TT_FAMILY_CLASSES,
                    .type = TT_METRIC_UPDOWN,
                    .name = "tango.devices",
                    .unit = "{device}",
                    .help = "Devices that were called, or answered, within the last 10 minutes"},
    [TT_BEATS_SENT] = {.family = TT_FAMILY_BEATS,
                       .type = TT_METRIC_COUNTER,
                       .name = "tango.event.heartbeats.sent",
                       .unit = "{heartbeat}",
                       .help = "Heartbeats that a server has sent to the subscribers of its events",
                       .slot = BEATS_SENT,
                       .present = BEATS_SENT},
    [TT_BEATS_RECEIVED] = {.family = TT_FAMILY_BEATS,
                           .type = TT_METRIC_COUNTER,
                           .name = "tango.event.heartbeats.received",
                           .unit = "{heartbeat}",
                           .help = "Heartbeats of a server that a subscriber has received",
                           .slot = BEATS_RECEIVED,
                           .present = BEATS_RECEIVED},
};
