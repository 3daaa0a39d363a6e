/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * instruments.h: which metrics are made of spans, as data. A family is a set of labels; its instruments share
 * one series per set of label values. Names of others (OpenTelemetry's conventions, Tempo's
 * metrics-generator) are kept to the letter, so that dashboards made for them work.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum tt_family_id {
    TT_FAMILY_CLIENT,            /* calls, as their clients see them */
    TT_FAMILY_SERVER,            /* calls, as their servers see them */
    TT_FAMILY_CLIENT_UNMEASURED, /* those whose duration is a bound only */
    TT_FAMILY_SERVER_UNMEASURED,
    TT_FAMILY_SPANS, /* what Tempo calls span metrics */
    TT_FAMILY_EDGES, /* what Tempo calls a service graph */
    TT_FAMILY_POLLING,
    TT_FAMILY_EVENTS,  /* as they are received */
    TT_FAMILY_MONITOR, /* requests that waited for one */
    TT_FAMILY_CLASSES, /* of devices */
    TT_FAMILY_BEATS,   /* heartbeats of channels of events */
    TT_FAMILY_DEVICES, /* has no instrument: the devices known, in a table of their own */
    TT_FAMILY_USAGE,   /* the same: who asks whom (usage.h) */
    TT_FAMILIES,
};

/* What becomes of a label's value when there are too many series. */
enum tt_label_level {
    TT_LABEL_FEW,    /* nothing: it has few values by nature */
    TT_LABEL_COARSE, /* replaced by _OTHER at last */
    TT_LABEL_FINE,   /* replaced by _OTHER first */
};

struct tt_label {
    const char *key;   /* OpenTelemetry's; Prometheus' has '_' in place of '.' */
    const char *fixed; /* always this value, which no series stores */
    enum tt_label_level level;
};

#define TT_LABELS_MAX 10

enum tt_metric_type {
    TT_METRIC_COUNTER,
    TT_METRIC_UPDOWN, /* a sum that may fall; Prometheus: gauge */
    TT_METRIC_GAUGE,
    TT_METRIC_HISTOGRAM,
};

/* A histogram takes its first slot for the number of values, the next for their sum in ns, and then one for
 * each bound and one for what is above the last. */
#define TT_SLOT_COUNT              0
#define TT_SLOT_SUM                1
#define TT_SLOT_BUCKETS            2
#define TT_HISTOGRAM_SLOTS(bounds) (TT_SLOT_BUCKETS + (bounds) + 1)

struct tt_instrument {
    enum tt_family_id family;
    enum tt_metric_type type;
    const char *name; /* in OTLP; Prometheus' is made of it */
    const char *unit; /* UCUM; "" for names that say it, or that must not get a suffix */
    const char *help;
    unsigned slot;          /* the first of its slots */
    unsigned present;       /* there is a point where this slot is not 0 */
    const uint64_t *bounds; /* histogram: upper bounds, ns */
    unsigned bound_count;
    unsigned histogram; /* its number among the histograms of its family: exemplar, exponential buckets */
};

struct tt_family {
    struct tt_label labels[TT_LABELS_MAX]; /* ended by key NULL */
    unsigned slots, histograms;
};

extern const struct tt_family tt_families[TT_FAMILIES];

enum tt_instrument_id {
    TT_CLIENT_DURATION,
    TT_SERVER_DURATION,
    TT_CLIENT_UNMEASURED,
    TT_SERVER_UNMEASURED,
    TT_SPAN_CALLS,
    TT_SPAN_SIZE,
    TT_SPAN_LATENCY,
    TT_EDGE_REQUESTS,
    TT_EDGE_FAILED,
    TT_EDGE_SERVER,
    TT_EDGE_CLIENT,
    TT_POLLING_LATENESS,
    TT_EVENT_LATENCY,
    TT_EVENT_LOST,
    TT_MONITOR_WAIT,
    TT_DEVICES,
    TT_BEATS_SENT,
    TT_BEATS_RECEIVED,
    TT_INSTRUMENTS,
};
extern const struct tt_instrument tt_instruments[TT_INSTRUMENTS];

/* Labels of the families, in their order. */
enum {
    TT_RPC_SYSTEM,
    TT_RPC_METHOD,
    TT_RPC_CLASS,
    TT_RPC_OPERATION,
    TT_RPC_CLIENT,
    TT_RPC_ERROR,
    TT_RPC_DEVICE,
    TT_RPC_ATTRIBUTE,
    TT_RPC_REASON /* of calls that were not measured only */
};
enum { TT_SPANS_SERVICE, TT_SPANS_NAME, TT_SPANS_KIND, TT_SPANS_STATUS };
enum { TT_EDGES_CLIENT, TT_EDGES_SERVER, TT_EDGES_TYPE };
enum { TT_OWN_CLASS, TT_OWN_DEVICE, TT_OWN_TYPE, TT_OWN_CLIENT };
enum { TT_DEVICES_CLASS, TT_DEVICES_NAME };
enum { TT_BEATS_SERVER, TT_BEATS_PROGRAM };

enum { TT_USAGE_DEVICE, TT_USAGE_CLASS, TT_USAGE_CLIENT, TT_USAGE_OPERATION, TT_USAGE_LABELS };

/* Slots of TT_FAMILY_USAGE: numbers; ns; unix ns; a double. */
enum {
    TT_USAGE_CALLS,
    TT_USAGE_ERRORS,
    TT_USAGE_SUM,
    TT_USAGE_FIRST,
    TT_USAGE_LAST,
    TT_USAGE_RATE,
    TT_USAGE_FIRST_BUCKET,
    TT_USAGE_SLOTS = TT_USAGE_FIRST_BUCKET + 49
};
