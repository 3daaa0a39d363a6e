/* SPDX-License-Identifier: GPL-2.0-only */
/* file:PATH: OTLP JSON, one request a line, as the Collector's file receiver reads it. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "export/encode.h"
#include "export/output.h"
#include "export/ratelog.h"
#include "export/sink.h"

struct file_sink {
    struct tt_sink base;
    struct tt_sink_counters *counters; /* of all signals */
    const char *path;                  /* NULL: standard output; lies in the name */
    struct tt_output output;
    struct tt_json json;
    bool torn; /* the last line was cut and could not be taken back */
    struct tt_ratelog failures;
};

static int open_path(const char *path)
{
    /* O_NONBLOCK only for the open, which else waits for ever on a FIFO without reader. */
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0644);

    if (fd < 0)
        return -errno;
    fcntl(fd, F_SETFL, O_APPEND);
    return fd;
}

/* Log rotation renames or removes the file: then the next line goes into a new one. */
static void reopen_if_moved(struct file_sink *sink)
{
    struct stat ours, theirs;
    int fd;

    if (!sink->path || fstat(sink->output.fd, &ours) < 0 || !S_ISREG(ours.st_mode))
        return;
    if (stat(sink->path, &theirs) == 0 && ours.st_dev == theirs.st_dev && ours.st_ino == theirs.st_ino)
        return;
    fd = open_path(sink->path);
    if (fd < 0)
        return; /* the old file still takes what we write */
    close(sink->output.fd);
    sink->output.fd = fd;
    sink->torn = false;
}

/* A line must be whole or not there: takes back what was written of it. */
static void repair(struct file_sink *sink, off_t start, size_t written)
{
    struct stat st;

    if (!written)
        return;
    if (fstat(sink->output.fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size != start + (off_t)written ||
        ftruncate(sink->output.fd, start) < 0)
        sink->torn = true;
}

static int write_line(struct file_sink *sink)
{
    size_t written = 0;
    struct stat st;
    int err;

    if (fstat(sink->output.fd, &st) < 0)
        return -errno;
    if (sink->torn) {
        err = tt_output_write(&sink->output, "\n", 1, &written);
        if (err < 0)
            return err;
        sink->torn = false;
        st.st_size++;
    }
    err = tt_output_write(&sink->output, sink->json.data, sink->json.size, &written);
    if (err == -EPIPE)
        atomic_store(&sink->counters->closed, true);
    if (err < 0)
        repair(sink, st.st_size, written);
    return err;
}

/* The line in sink->json, of `count` items. */
static void finish_line(struct file_sink *sink, enum tt_signal signal, size_t count)
{
    struct tt_sink_counters *counters = &sink->counters[signal];
    int err;

    reopen_if_moved(sink);
    err = sink->json.failed ? -ENOMEM : write_line(sink);
    if (!err) {
        tt_sink_add(&counters->exported, count);
        tt_sink_add(&counters->requests, 1);
        tt_sink_add(&counters->bytes, sink->json.size);
        return;
    }
    if (err == -ETIMEDOUT) {
        tt_sink_add(&counters->dropped_timeout, count);
        return;
    }
    tt_sink_add(&counters->dropped_error, count);
    tt_ratelog_warn(&sink->failures, TT_RATELOG_S, "%s: cannot write, %zu %s dropped: %s%s", sink->base.name,
                    count, signal == TT_SIGNAL_LOGS ? "log records" : "spans", strerror(-err),
                    err == -ENOSPC ? "; make room, writing goes on by itself" : "");
}

static void file_write(struct tt_sink *base, struct tt_otel_span **spans, size_t count)
{
    struct file_sink *sink = (struct file_sink *)base;

    tt_encode_sort(spans, count);
    tt_json_reset(&sink->json);
    tt_encode_json(spans, count, &sink->json);
    finish_line(sink, TT_SIGNAL_SPANS, count);
}

static void file_write_logs(struct tt_sink *base, struct tt_otel_log **logs, size_t count)
{
    struct file_sink *sink = (struct file_sink *)base;

    tt_encode_sort_logs(logs, count);
    tt_json_reset(&sink->json);
    tt_encode_logs_json(logs, count, &sink->json);
    finish_line(sink, TT_SIGNAL_LOGS, count);
}

static void file_stopping(struct tt_sink *base, uint64_t deadline)
{
    atomic_store(&((struct file_sink *)base)->output.deadline, deadline);
}

static void file_free(struct tt_sink *base)
{
    struct file_sink *sink = (struct file_sink *)base;

    if (sink->path && sink->output.fd >= 0)
        close(sink->output.fd);
    tt_json_free(&sink->json);
    free(base->name);
    free(sink);
}

static int file_check(const char *target, char **error)
{
    if (target && *target)
        return 0;
    *error = strdup("file: needs a path, as in file:/tmp/traces.jsonl (file:- is standard output)");
    return -EINVAL;
}

static int file_open(const char *target, const struct tt_export_config *config,
                     struct tt_sink_counters counters[TT_SIGNALS], struct tt_sink **out, char **error)
{
    struct file_sink *sink;
    int fd = STDOUT_FILENO;

    if (strcmp(target, "-") != 0)
        fd = open_path(target);
    if (fd < 0) {
        if (asprintf(error, "file:%s: cannot open: %s", target, strerror(-fd)) < 0)
            *error = NULL;
        return fd;
    }
    sink = calloc(1, sizeof(*sink));
    if (!sink || asprintf(&sink->base.name, "file:%s", target) < 0) {
        if (fd != STDOUT_FILENO)
            close(fd);
        free(sink);
        *error = strdup("out of memory");
        return -ENOMEM;
    }
    sink->base.ops = &tt_file_sink;
    sink->counters = counters;
    sink->output.fd = fd;
    sink->output.deadline = TT_NEVER;
    sink->path = fd == STDOUT_FILENO ? NULL : sink->base.name + strlen("file:");
    *out = &sink->base;
    return 0;
}

const struct tt_sink_ops tt_file_sink = {
    .scheme = "file",
    .batch = 2048, /* some 4 MB of JSON a line */
    .check = file_check,
    .open = file_open,
    .write = file_write,
    .write_logs = file_write_logs,
    .stopping = file_stopping,
    .free = file_free,
};
