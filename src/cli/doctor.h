/* SPDX-License-Identifier: GPL-2.0-only */
/* doctor.h: findings of `tangotrace doctor`, printed or collected as JSON as they come. */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

struct tt_json;
struct tt_options;

enum tt_verdict { TT_OK, TT_WARN, TT_FAIL };

struct tt_doctor {
    struct tt_json *json; /* an open array; NULL: print */
    unsigned warnings, failures;
};

/* One finding. `advice`: what to do about it, NULL if nothing. */
void tt_doctor_say(struct tt_doctor *doctor, enum tt_verdict verdict, const char *what, const char *advice,
                   const char *format, ...) __attribute__((format(printf, 5, 6)));

/* Does this process hold that capability? */
bool tt_doctor_holds(int capability);

/* Each `fail` of these means that nothing can be traced on this host. */
void tt_doctor_host(struct tt_doctor *doctor);
/* Limits, clocks, and those that spans are sent to by the file `config` (NULL: none) and the environment. */
void tt_doctor_around(struct tt_doctor *doctor, const char *config);
/* Each `fail` of these means that this process is not traced: by the running agent, or by one with the rules
 * of the options. */
void tt_doctor_process(struct tt_doctor *doctor, const struct tt_options *options, pid_t pid);
/* How many Tango processes there are. */
void tt_doctor_processes(struct tt_doctor *doctor);
