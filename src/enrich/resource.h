/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * resource.h (private to enrich): resources by process and device, made once and shared. One thread only; the
 * resources themselves may go anywhere.
 */
#pragma once

#include <stdint.h>

#include "discover/process.h"
#include "enrich/enrich.h"

#define TT_RESOURCES_MAX    4096                      /* about 2 kB each */
#define TT_RESOURCES_UNUSED (10 * 60 * 1000000000ull) /* forgotten after that long without a span, ns */

struct tt_resources;

struct tt_resources *tt_resources_new(const struct tt_enrich_config *config);
void tt_resources_free(struct tt_resources **resources);

/*
 * A reference to the resource of a device (or of the process itself: device NULL) in a process (NULL: nothing
 * is known of it but its pid). A class once known for a device stays known for later spans that lack it.
 * `now` is CLOCK_MONOTONIC. NULL when out of memory.
 */
struct tt_otel_resource *tt_resources_get(struct tt_resources *resources, struct tt_process *process,
                                          uint32_t pid, const char *device, const char *class_name,
                                          uint64_t now);

/* Forgets what was not used for TT_RESOURCES_UNUSED. */
void tt_resources_tick(struct tt_resources *resources, uint64_t now);

/* The agent's own, a new reference: `name` is its service.name. NULL when out of memory. */
struct tt_otel_resource *tt_resources_own(const struct tt_resources *resources, const char *name);

/* service.name of what is no device: the server's executable, the script or the program. NULL when out of
 * memory. */
const char *tt_resource_program(struct tt_arena *arena, const struct tt_process *process);

/* Number of resources remembered. */
size_t tt_resources_count(const struct tt_resources *resources);
