/* SPDX-License-Identifier: GPL-2.0-only */
/* enrich.h: from assembled spans to OpenTelemetry's model: resources, attributes, titles, errors, privacy. */
#pragma once

#include "assemble/log.h"
#include "assemble/span.h"
#include "discover/process.h"
#include "enrich/otel.h"

struct tt_enricher;

struct tt_enrich_config {
    const char *host_name; /* NULL = gethostname */
    const char *host_arch; /* NULL = this host's; copied */
    bool command_lines;    /* full command lines leave the host (process.command_args); default no */
    const char *resource_attributes; /* OTEL_RESOURCE_ATTRIBUTES form, or NULL: added everywhere, overrides
                                        nothing of ours */
};

/* `find` gives a reference to the process of a pid at a monotonic time (tt_process_table_find), or NULL. */
/* host.arch of this host, or NULL. */
const char *tt_host_arch(void);

struct tt_enricher *tt_enricher_new(const struct tt_enrich_config *config,
                                    struct tt_process *(*find)(void *context, uint32_t pid, uint64_t time),
                                    void *context);
void tt_enricher_free(struct tt_enricher **enricher);
/* Another configuration; what is known of devices' classes is learned again. 0 or -ENOMEM: it stays as it is.
 */
int tt_enricher_configure(struct tt_enricher *enricher, const struct tt_enrich_config *config);

/* Makes the final span; consumes *span (frees it, sets NULL). NULL when out of memory (counted). */
struct tt_otel_span *tt_enrich(struct tt_enricher *enricher, struct tt_span **span);

/* The same of a span that is still open and stays the caller's: what is known of it so far. */
struct tt_otel_span *tt_enrich_open(struct tt_enricher *enricher, const struct tt_span *span);
/* What the span does, as its tango.operation.name will say; in the arena or static. NULL when out of memory.
 */
const char *tt_enrich_title(struct tt_arena *arena, const struct tt_span *span);

/* The same for a log record. */
struct tt_otel_log *tt_enrich_log(struct tt_enricher *enricher, struct tt_log **log);

/* Forgets interned resources that nobody used for a while. */
void tt_enricher_tick(struct tt_enricher *enricher, uint64_t now);

/* The agent's own resource, a new reference: `name` is its service.name. NULL when out of memory. */
struct tt_otel_resource *tt_enricher_own_resource(const struct tt_enricher *enricher, const char *name);

uint64_t tt_enricher_failures(const struct tt_enricher *enricher);
