/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * python.h: what Python code runs in a process: names, files and lines for the addresses that events carry.
 * Read from the process's memory when first asked for, bounded, and kept; the target is never held up. An
 * object that is no longer what the event saw (freed, changed) is not named.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "assemble/span.h"
#include "discover/process.h"

struct tt_pythons;

struct tt_python_stats {
    uint64_t processes;  /* with a Python that can be read, now */
    uint64_t unknown;    /* processes with a Python of an unknown build: not read */
    uint64_t lookups;    /* into the memory of a process */
    uint64_t changed;    /* objects that were no longer what the event saw */
    uint64_t unreadable; /* memory that could not be read, or made no sense */
};

struct tt_pythons *tt_pythons_new(void);
void tt_pythons_free(struct tt_pythons **pythons);

/* Looks at a process that maps PyTango or Python: what the kernel is to be told of it. False: neither. */
bool tt_pythons_add(struct tt_pythons *pythons, const struct tt_process *process, struct tt_python *kernel);
void tt_pythons_remove(struct tt_pythons *pythons, pid_t pid);

/* Is the Python that PyTango calls a method which a device class defines? Then the span gets name, class,
 * file and line. From any thread, as all below. */
bool tt_pythons_method(struct tt_pythons *pythons, struct tt_span *span);

/* The span would have been one of PyTango's own methods that every request calls and that does nothing. What
 * the kernel is told, so that it keeps calls of it to itself for some seconds. */
bool tt_pythons_dull(struct tt_pythons *pythons, const struct tt_span *span, struct tt_dull_key *key,
                     struct tt_dull *dull);

/* The Python code outside PyTango that led to the span, if the event says: name, file and line into the span.
 * If it is a call of an init_device, those of that into the span's parent. */
bool tt_pythons_caller(struct tt_pythons *pythons, struct tt_span *span);

/* The version of the Python in a mapped file: 3.minor (0: not known). True: it can be read. */
bool tt_python_minor(const struct tt_process *process, const struct tt_mapped_file *file, unsigned *minor);

void tt_pythons_get_stats(struct tt_pythons *pythons, struct tt_python_stats *stats);
