/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * agent.h: the running agent: the stages put together in the order of the data's way, and their life cycle.
 *   main thread: follows processes, attaches and detaches; collecting thread: events to spans to queues;
 *   one thread per exporter; the lease thread; the control thread.
 */
#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "agent/pipeline.h"
#include "agent/recorder.h"
#include "attach/attach.h"
#include "base/json.h"
#include "base/text.h"
#include "collect/collect.h"
#include "correlate/clock.h"
#include "discover/process.h"
#include "host/host.h"
#include "python/python.h"

struct tt_options;
struct tt_follow;
struct tt_page;
struct tt_page_feed;
struct tt_publisher;
struct tt_snapshot;
struct tt_tree;

struct tt_agent {
    const struct tt_options *options; /* other threads: under the lock */
    struct tt_host *host;
    struct tt_selection *selection; /* owned by the options */
    struct tt_process_table *table;
    struct tt_attach *attach;
    struct tt_probes *probes; /* of the user; NULL: none */
    struct tt_pythons *pythons;
    struct tt_follow *follow;
    struct tt_pipeline *pipeline;
    struct tt_collector *collector;
    struct tt_recorder *recorder;   /* NULL: nothing is recorded */
    struct tt_publisher *publisher; /* of metrics; NULL: none are asked for */
    struct tt_page *page;
    struct tt_page_feed *feed;  /* of the page; NULL: no thread for it */
    uint64_t seed;              /* of ids; 0: random */
    struct tt_unix_clock clock; /* collecting thread */
    struct tt_tree *tree;       /* strace mode: processes of the command; NULL otherwise */
    bool all;                   /* strace mode: show the whole host */
    pthread_mutex_t lock;       /* attach and follow: main thread and control thread */
    struct tt_reload *reload;   /* the last one, whose end is still to come; NULL: none */
    int wake;                   /* eventfd: the lease thread wants a retry */
    uint64_t started;           /* CLOCK_MONOTONIC ns */
    double ready_seconds;       /* start to ready */
};

/* Builds all stages; nothing is attached yet. 0; -EPERM, -ENOSYS: the host lacks something (logged); other
 * errno. */
int tt_agent_new(const struct tt_options *options, struct tt_agent **agent);
/* Attaches to everything that runs now. */
int tt_agent_start(struct tt_agent *agent);
/* Nobody reads what is exported any more: every exporter writes to a pipe whose reader is gone. */
bool tt_agent_is_deaf(struct tt_agent *agent);
/* Other options, while events come: rules, detail, exporters, sampling, metrics .. Taken over (*options is
 * empty then), or refused whole: -EINVAL, -E2BIG: something makes no sense (logged); -EBUSY: what an earlier
 * one took away still sends what it has; -ENOMEM. On the main thread. */
int tt_agent_reload(struct tt_agent *agent, struct tt_options *options);
/* Exports what the flight recorder has; number of spans. */
uint64_t tt_agent_dump(struct tt_agent *agent);
/* Detaches, then sends what is left. After it only tt_agent_report and free are allowed. */
void tt_agent_stop(struct tt_agent *agent);
/* The last line: what was seen, exported, lost. Returns the number of lost items. *whole = nothing was
 * recorded, or all of it is in the file. */
uint64_t tt_agent_report(struct tt_agent *agent, bool *whole);
void tt_agent_free(struct tt_agent **agent);

/* Brings probes, and what is known of its Python, in line with what the process maps. */
int tt_agent_attach(struct tt_agent *agent, struct tt_process *process);

void tt_agent_forget_python(struct tt_agent *agent, pid_t pid);

/* What the pipeline of these options is made with. */
void tt_agent_pipeline_config(struct tt_agent *agent, const struct tt_options *options,
                              struct tt_pipeline_config *config);

/* reload.c: waits until what the last one took away is gone. And frees its options. */
void tt_agent_end_reload(struct tt_agent *agent);
void tt_agent_free_reload(struct tt_agent *agent);

/* Its frames are void: another program runs under that pid, or it is not to be traced any more. */
void tt_agent_forget(struct tt_agent *agent, uint32_t pid);

/* It is traced in another way now. Events that come while nobody looks are not lost; of one that is not
 * traced any more nothing is known. */
void tt_agent_forget_events(struct tt_agent *agent, const struct tt_process *process);

/* cost.c: what hits cost the traced programs, seconds: of these, `events` wrote one. By the costs measured at
 * start.
 */
double tt_agent_cost(const struct tt_agent *agent, uint64_t hits, uint64_t events);
/* Of one process, since it is traced; and its hits. */
double tt_agent_cost_of(struct tt_agent *agent, pid_t pid, uint64_t events, uint64_t *hits);

/* The same as a metric. */
void tt_agent_measure_cost(struct tt_agent *agent, struct tt_snapshot *snapshot);

/* Hits of probes, by the kernel's counters. */
uint64_t tt_agent_traps(const uint64_t counters[TT_COUNTERS]);
/* Of the agent's own process: resident bytes, and seconds of CPU since its start; 0: not known. */
uint64_t tt_agent_memory(void);
double tt_agent_cpu(void);

/* report.c: answers the control socket: "GET status", "GET list", "GET detail", "SET detail LEVEL[:PATTERN]".
 */
int tt_agent_answer(void *context, const char *request, struct tt_json *json);
/* usage.c: the same for "GET top .." and "GET clients ..": 0, -EINVAL: another request; -ENOMEM. */
int tt_agent_answer_usage(struct tt_agent *agent, const char *request, struct tt_json *json);
/* tail.c: "GET tail .." of the control socket: live traces, until the client hangs up. */
int tt_agent_stream(void *context, const char *request, int fd, void **stream, char **why);
void tt_agent_end_stream(void *context, void *stream);
/* For the console: how many processes are traced. */
void tt_agent_silence(void *context, char *buffer, size_t size);

/* follow.c: keeps attach in line with what runs. */
int tt_follow_new(struct tt_agent *agent, struct tt_follow **follow);
void tt_follow_free(struct tt_follow **follow);
/* Attaches to what is there (slow scan of /proc). */
void tt_follow_scan(struct tt_follow *follow);
/* The same, and what does not want its probes any more loses them. */
void tt_follow_rescan(struct tt_follow *follow);
int tt_follow_fd(const struct tt_follow *follow);
/* Handles what the kernel reported. */
void tt_follow_read(struct tt_follow *follow);
/* Once a second: retries, the slow scan. */
void tt_follow_tick(struct tt_follow *follow);

/* observe.c: metrics, and is the agent ready? For tt_publisher_ops, from any thread. */
struct tt_snapshot *tt_agent_snapshot(void *context);
bool tt_agent_ready(void *context, struct tt_text *why);

struct tt_follow_stats {
    uint64_t lost;     /* side-band events lost (a scan follows) */
    uint64_t updates;  /* /proc reads of a process */
    uint64_t attached; /* processes attached after start */
    uint64_t blind_ns; /* worst time from the map of a library to the probes being there */
};
void tt_follow_get_stats(const struct tt_follow *follow, struct tt_follow_stats *stats);

/* tree.c: the processes of a command and its children, living or dead. Thread-safe. */
struct tt_tree *tt_tree_new(void);
void tt_tree_free(struct tt_tree **tree);
void tt_tree_add(struct tt_tree *tree, uint32_t pid);
/* A fork: the child belongs if the parent does. */
void tt_tree_fork(struct tt_tree *tree, uint32_t parent, uint32_t child);
bool tt_tree_has(struct tt_tree *tree, uint32_t pid);
