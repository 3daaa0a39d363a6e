/* SPDX-License-Identifier: GPL-2.0-only */
/* internal.h (private to view): the process, and those who answer its requests. */
#pragma once

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/json.h"
#include "http/httpd.h"
#include "query/query.h"
#include "store/store.h"

#define TT_VIEW_CLIENTS   160 /* connections at once */
#define TT_VIEW_STREAMS   32  /* of these, that go on */
#define TT_VIEW_RATE      200 /* requests per second; more, for a moment, by as many as a second's */
#define TT_VIEW_SEARCHES  4   /* at once: each may use a thread for TT_VIEW_SEARCH_NS */
#define TT_VIEW_SEARCH_NS 2000000000u

struct tt_view {
    struct tt_store *store;
    struct tt_httpd *httpd; /* of the thread that takes frames: requests come before it is known */
    char address[64];
    int fd;                         /* of the agent */
    char *token, *host, *recording; /* NULL: none */
    char *certificate, *key, *clients;
    uint64_t age_ns, bytes;
    atomic_int streams;
    _Atomic uint64_t told; /* when the agent was told that somebody looks; CLOCK_MONOTONIC ns */
    pthread_mutex_t lock;  /* rate of requests */
    double credit;
    uint64_t credit_time, refused;
};

/* admit.c: host, token and rate of a request; tt_httpd_config.admit. */
bool tt_view_admit(void *context, const struct tt_httpd_request *request, struct tt_httpd_reply *reply);
/* The agent tells more while somebody looks. */
void tt_view_look(struct tt_view *view);

/* assets.c: the page itself. */
int tt_view_assets_new(void);
void tt_view_asset(void *context, const struct tt_httpd_request *request, struct tt_httpd_reply *reply);

/* routes.c */
extern const struct tt_httpd_route tt_view_routes[];

/* ---- what the answers are made of ---- */

/* The JSON becomes the body. */
void tt_view_json(struct tt_httpd_reply *reply, struct tt_json *json);
/* {"error": ..}; `position` < 0: none. */
void tt_view_refuse(struct tt_httpd_reply *reply, unsigned status, const char *why, int64_t position);

/* A number of an argument: *value stays what it was where there is none. False: it is none. */
bool tt_view_number(const struct tt_httpd_request *request, const char *name, double *value);
/* A time in unix microseconds, as ns. */
bool tt_view_time(const struct tt_httpd_request *request, const char *name, uint64_t *ns);

/* ---- the answers: search.c, trace.c, usage.c, info.c, jaeger.c, tempo.c ---- */

#define TT_VIEW_HANDLER(name)                                                                                \
    void name(void *context, const struct tt_httpd_request *request, struct tt_httpd_reply *reply)
TT_VIEW_HANDLER(tt_view_search);
TT_VIEW_HANDLER(tt_view_query);
TT_VIEW_HANDLER(tt_view_trace);
TT_VIEW_HANDLER(tt_view_span);
TT_VIEW_HANDLER(tt_view_usage);
TT_VIEW_HANDLER(tt_view_names);
TT_VIEW_HANDLER(tt_view_info);
TT_VIEW_HANDLER(tt_view_state);
TT_VIEW_HANDLER(tt_view_stream);
TT_VIEW_HANDLER(tt_view_jaeger);
TT_VIEW_HANDLER(tt_view_tempo);

/* What a search asks for; of one span all must hold. */
struct tt_view_search {
    uint64_t from, to;                                        /* unix ns; of the trace's time, overlapping */
    uint64_t least, most;                                     /* ns, duration of the span */
    const char *service, *device, *operation, *client, *text; /* globs, and a part of a text; NULL: any */
    int status;                                               /* -1: any; 0 fine, 1 failed */
    bool exact;             /* service and operation as they are, the latter by its name only */
    struct tt_query *query; /* owned; NULL: none */
    size_t limit;
};

/* One that was found. `span`: of those that matched the first call, or the first. */
struct tt_view_found {
    const struct tt_store_trace *trace;
    const struct tt_otel_span *root, *span;
    struct tt_otel_span *const *spans;
    size_t count, matched;
};

/* Newest first, each given to `found`, with the store locked. False: it took too long, or too many search. */
bool tt_view_find(struct tt_view *view, const struct tt_view_search *search,
                  void (*found)(void *context, const struct tt_view_found *found), void *context);

/* An id of so many bytes in hex; shorter ones have zeros in front. False: it is none. */
bool tt_view_id(const char *text, uint8_t *id, size_t size);
/* The value of a span's attribute, if that is a string; else NULL. */
const char *tt_view_string(const struct tt_otel_span *span, const char *key);
/* {"key": value} as member `name`. */
void tt_view_attributes(struct tt_json *json, const char *name, const struct tt_otel_attribute *attributes,
                        size_t count);
