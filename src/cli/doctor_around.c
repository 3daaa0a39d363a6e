/* SPDX-License-Identifier: GPL-2.0-only */
/* doctor_around.c: what is around the agent: limits of its container or service, clocks, and whether those
 * answer to whom `run` would send. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timex.h>
#include <unistd.h>

#include "agent/pipeline.h"
#include "base/cleanup.h"
#include "base/text.h"
#include "cli/doctor.h"
#include "export/http.h"
#include "options/options.h"

/* ---- limits of the control group ---- */

#define CGROUPS    "/sys/fs/cgroup"
#define MEMORY_MIN (192u << 20) /* what the agent may take with its defaults */
#define TASKS_MIN  64
#define CPU_MIN    0.2 /* of one CPU: at some 5,000 calls a second it takes as much */

/* First line of a control file of a group, or NULL. Caller frees. */
static char *control_file(const char *group, const char *name)
{
    _cleanup_free_ char *path = tt_format(CGROUPS "%s/%s", group, name);
    char *text = NULL;
    size_t size;

    if (!path || tt_read_file_at(AT_FDCWD, path, 256, &text, &size, NULL))
        return NULL;
    text[strcspn(text, "\n")] = '\0';
    return text;
}

struct limits {
    double memory, tasks, cpu; /* bytes; threads; CPUs. NO_LIMIT: none */
};

#define NO_LIMIT 1e30

static void lower(double *limit, const char *text)
{
    double value = text && strncmp(text, "max", 3) != 0 ? strtod(text, NULL) : NO_LIMIT;

    if (value < *limit)
        *limit = value;
}

/* A group is bound by all that it is in. */
static void read_limits(char *group, struct limits *limits)
{
    *limits = (struct limits){NO_LIMIT, NO_LIMIT, NO_LIMIT};
    for (;;) {
        _cleanup_free_ char *memory = control_file(group, "memory.max"),
                            *tasks = control_file(group, "pids.max");
        _cleanup_free_ char *cpu = control_file(group, "cpu.max");
        char *slash = strrchr(group, '/');
        double quota, period;

        lower(&limits->memory, memory);
        lower(&limits->tasks, tasks);
        if (cpu && sscanf(cpu, "%lf %lf", &quota, &period) == 2 && period > 0 && quota / period < limits->cpu)
            limits->cpu = quota / period;
        if (!slash)
            return;
        *slash = '\0';
    }
}

static void check_limits(struct tt_doctor *doctor)
{
    static const char what[] = "control group";
    _cleanup_free_ char *text = NULL;
    struct limits limits;
    size_t size;
    char *group;

    if (tt_read_file_at(AT_FDCWD, "/proc/self/cgroup", 4096, &text, &size, NULL))
        return;
    group = strstr(text, "0::/"); /* the unified hierarchy */
    if (!group) {
        tt_doctor_say(doctor, TT_OK, what, NULL, "not the unified hierarchy: its limits are not looked at");
        return;
    }
    group += strlen("0::");
    group[strcspn(group, "\n")] = '\0';
    if (!strcmp(group, "/"))
        group[0] = '\0';
    read_limits(group, &limits);
    if (limits.memory < MEMORY_MIN)
        tt_doctor_say(doctor, TT_WARN, what,
                      "raise it (docker --memory, MemoryMax=), or lower --ring-size and --queue-size",
                      "memory is limited to %.0f MB, and the agent may take %u", limits.memory / (1 << 20),
                      MEMORY_MIN >> 20);
    if (limits.tasks < TASKS_MIN)
        tt_doctor_say(doctor, TT_WARN, what, "raise it (docker --pids-limit, TasksMax=)",
                      "only %.0f threads are allowed", limits.tasks);
    if (limits.cpu < CPU_MIN)
        tt_doctor_say(doctor, TT_WARN, what,
                      "raise it (docker --cpus, CPUQuota=): when the agent falls behind, events are dropped",
                      "limited to %.0f %% of one CPU", limits.cpu * 100);
    if (limits.memory >= MEMORY_MIN && limits.tasks >= TASKS_MIN && limits.cpu >= CPU_MIN)
        tt_doctor_say(doctor, TT_OK, what, NULL, "no limit that matters");
}

/* ---- clocks ---- */

static void check_clock(struct tt_doctor *doctor)
{
    static const char path[] = "/sys/devices/system/clocksource/clocksource0/current_clocksource";
    _cleanup_free_ char *source = NULL;
    struct timex t = {0};
    int state = adjtimex(&t);
    size_t size;

    if (state < 0)
        tt_doctor_say(doctor, TT_WARN, "clock", "is a sandbox in the way?", "not to be asked: %s",
                      strerror(errno));
    else if (state == TIME_ERROR || (t.status & STA_UNSYNC))
        tt_doctor_say(doctor, TT_WARN, "clock",
                      "let chrony or systemd-timesyncd set it: spans of several hosts do not line up else",
                      "not synchronised");
    else
        tt_doctor_say(doctor, t.maxerror > 100000 ? TT_WARN : TT_OK, "clock", "look at its source of time",
                      "synchronised, wrong by %.1f ms at most", (double)t.maxerror / 1e3);
    if (tt_read_file_at(AT_FDCWD, path, 64, &source, &size, NULL))
        return;
    source[strcspn(source, "\n")] = '\0';
    if (!strcmp(source, "hpet") || !strcmp(source, "acpi_pm"))
        tt_doctor_say(
            doctor, TT_WARN, "clock source",
            "boot with tsc=reliable if the processor's counter can be trusted: each event reads the clock",
            "%s, which is slow", source);
}

/* ---- who receives ---- */

#define TRY_MS 3000

/* An empty request is a valid one: whoever speaks OTLP there says so. */
static void try_url(struct tt_doctor *doctor, const struct tt_options *o, enum tt_otlp_signal signal,
                    const char *url, const char *path)
{
    static const char *const whats[TT_OTLP_SIGNALS] = {"receiver of spans", "receiver of logs",
                                                       "receiver of metrics"};
    static const char advice[] =
        "is the address right (--otlp-endpoint, port 4318), and the receiver running?";
    struct tt_otlp_config otlp = tt_pipeline_otlp(&o->otlp_of[signal]);
    struct tt_http_config config = {.name = "doctor", .otlp = &otlp};
    const struct tt_http_body body = {
        .data = otlp.json ? "{}" : "", .size = otlp.json ? 2 : 0, .json = otlp.json};
    _cleanup_(tt_http_free) struct tt_http *http = NULL;
    _cleanup_free_ char *why = NULL, *shown = NULL;
    struct tt_http_reply reply = {0};
    int err = tt_url_parse(url, path, &config.url, &why);

    otlp.timeout_ms = TRY_MS;
    if (!err) {
        shown = strdup(config.url.display);
        err = tt_http_new(&config, &http, &why);
    }
    if (err) {
        tt_doctor_say(doctor, TT_WARN, whats[signal], advice, "%s", why ? why : strerror(-err));
        return;
    }
    tt_http_post(http, &body, &reply);
    if (reply.outcome == TT_HTTP_ACCEPTED)
        tt_doctor_say(doctor, TT_OK, whats[signal], NULL, "%s accepts", shown ? shown : url);
    else
        tt_doctor_say(doctor, TT_WARN, whats[signal], advice, "%s: %s", shown ? shown : url, reply.error);
}

/* "otlp", "otlp:URL", or with `exact` in front of an URL that is used as it is. */
static void try_all(struct tt_doctor *doctor, const struct tt_options *o, enum tt_otlp_signal signal,
                    const struct tt_list *list, const char *exact, const char *path)
{
    for (size_t i = 0; i < list->count; i++) {
        const char *spec = list->items[i];

        if (!strncmp(spec, exact, strlen(exact)))
            try_url(doctor, o, signal, spec + strlen(exact), NULL);
        else if (!strncmp(spec, "otlp", 4) && (!spec[4] || spec[4] == ':'))
            try_url(doctor, o, signal, spec[4] ? spec + 5 : "http://localhost:4318", path);
    }
}

/* As `run` would have it, with the same file and environment. */
static void check_receivers(struct tt_doctor *doctor, const char *config)
{
    _cleanup_(tt_options_free) struct tt_options run = {0};
    static char option[] = "--config";
    char *const with[] = {option, (char *)config, NULL}, *const without[] = {NULL};
    _cleanup_free_ char *why = NULL;

    if (tt_options_parse(&run, TT_COMMAND_RUN, config ? with : without, environ, &why)) {
        tt_doctor_say(doctor, TT_WARN, "configuration", "'run' would refuse it", "%s",
                      why ? why : "not valid");
        return;
    }
    try_all(doctor, &run, TT_OTLP_TRACES, &run.exports, TT_EXPORT_TRACES, "/v1/traces");
    try_all(doctor, &run, TT_OTLP_METRICS, &run.metrics_exports, TT_EXPORT_METRICS, "/v1/metrics");
    if (run.otlp_of[TT_OTLP_LOGS].endpoint && run.logs)
        try_url(doctor, &run, TT_OTLP_LOGS, run.otlp_of[TT_OTLP_LOGS].endpoint, NULL);
}

void tt_doctor_around(struct tt_doctor *doctor, const char *config)
{
    check_limits(doctor);
    check_clock(doctor);
    check_receivers(doctor, config);
}
