/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * options.h: the one table of options, and the values it fills. The table makes the command line, the
 * environment (TANGOTRACE_*, and OTEL_* with their standard meaning), the YAML file, --help, --print-config
 * and docs/options.md. Precedence: defaults < file < environment < command line. A new option is a row in a
 * file of rows and a field here.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/log.h"
#include "base/text.h"
#include "discover/process.h"

/* Commands an option belongs to. */
enum tt_command {
    TT_COMMAND_RUN = 1,
    TT_COMMAND_LIST = 2,
    TT_COMMAND_STATUS = 4,
    TT_COMMAND_DOCTOR = 8,
    TT_COMMAND_PLAN = 16,
    TT_COMMAND_CONFIG = 32,
    TT_COMMAND_REPLAY = 64,
    TT_COMMAND_TAIL = 128,
    TT_COMMAND_TOP = 256,
    TT_COMMAND_ALL = 511,
};

enum tt_color { TT_COLOR_AUTO, TT_COLOR_ALWAYS, TT_COLOR_NEVER };
enum tt_native { TT_NATIVE_JOIN, TT_NATIVE_IGNORE, TT_NATIVE_SKIP };
enum tt_graph { TT_OPTION_GRAPH_NO, TT_OPTION_GRAPH_CLASS, TT_OPTION_GRAPH_DEVICE };
enum tt_option_temporality { TT_OPTION_CUMULATIVE, TT_OPTION_DELTA, TT_OPTION_LOWMEMORY };
enum tt_buckets { TT_BUCKETS_EXPLICIT, TT_BUCKETS_EXPONENTIAL };
enum tt_sort { TT_SORT_RATE, TT_SORT_P50, TT_SORT_P99, TT_SORT_ERRORS, TT_SORT_OPEN, TT_SORT_NAME, TT_SORTS };
/* Words of exports and metrics_exports: the URL behind is used exactly as it is, for that signal only. */
#define TT_EXPORT_TRACES  "otlp-traces:"
#define TT_EXPORT_LOGS    "otlp-logs:" /* where no spans are sent */
#define TT_EXPORT_METRICS "otlp-metrics:"

enum tt_compression { TT_COMPRESSION_NONE, TT_COMPRESSION_GZIP, TT_COMPRESSION_ZSTD };
enum tt_protocol { TT_PROTOCOL_PROTOBUF, TT_PROTOCOL_JSON };
enum tt_otlp_signal { TT_OTLP_TRACES, TT_OTLP_LOGS, TT_OTLP_METRICS, TT_OTLP_SIGNALS };

/* How one signal goes over OTLP; strings are NULL when not set. */
struct tt_otlp_options {
    char *endpoint;   /* used as it is */
    char *headers;    /* name=value,name=value, percent-encoded */
    unsigned timeout; /* ms */
    enum tt_compression compression;
    enum tt_protocol protocol;
    char *certificate, *client_certificate, *client_key; /* PEM files */
};

struct tt_list {
    char **items; /* NULL-ended once not empty; owned */
    size_t count;
};

#define TT_OPTIONS_MAX 128 /* rows of the table */

/* What another value of an option changes in the running agent. */
enum tt_affected {
    TT_AFFECTS_VALUE = 1,        /* it is looked at where it is used; nothing is made anew */
    TT_AFFECTS_OTHERS = 2,       /* once parsed it is part of other options, and does what those do */
    TT_AFFECTS_RESTART = 4,      /* nothing before a restart */
    TT_AFFECTS_EXPORTS = 8,      /* which exporters there are .. */
    TT_AFFECTS_EXPORTERS = 0x10, /* .. what all are made with .. */
    TT_AFFECTS_CONSOLE = 0x20,   /* .. what the console is .. */
    TT_AFFECTS_OTLP = 0x40,      /* .. and those that speak OTLP */
    TT_AFFECTS_SAMPLER = 0x80,
    TT_AFFECTS_RESOURCES = 0x100,
    TT_AFFECTS_METRICS = 0x200,  /* series */
    TT_AFFECTS_POINTS = 0x400,   /* what the ways of metrics by OTLP and to files are made with */
    TT_AFFECTS_LISTENER = 0x800, /* the HTTP server */
    TT_AFFECTS_PLANS = 0x1000,   /* the plans on disk */
    TT_AFFECTS_CONTROL = 0x2000, /* the agent's socket */
    TT_AFFECTS_PAGE = 0x4000,    /* the page's process, which starts anew */
};

struct tt_options {
    /* Which processes. */
    struct tt_selection
        *selection;         /* rules of --select and --exclude in their order; never NULL after parsing */
    enum tt_native native;  /* what of programs that are traced by native telemetry, too */
    bool all;               /* run -- COMMAND: show the traces of the whole host */
    struct tt_list details; /* levels of detail; they are in the selection, too */
    struct tt_list probes;  /* as tt_probe_check takes them */

    /* Where spans go: specifications for tt_exporter_new(); none only where "none" was asked for. "otlp" has
     * become "otlp:URL" where an endpoint is configured, "otlp-traces:URL" where the URL is to be used
     * exactly as it is; "otlp-logs:URL" is that of log records where no spans are sent. */
    struct tt_list exports;
    unsigned queue_size;                                      /* spans */
    unsigned batch_size;                                      /* spans */
    unsigned batch_delay;                                     /* ms */
    unsigned log_queue_size, log_batch_size, log_batch_delay; /* the same for log records */
    uint64_t queue_memory;                                    /* of each exporter's queues, bytes */
    char *spool_dir;                                          /* NULL: no spool */
    uint64_t spool_size;                                      /* of each destination, bytes */
    unsigned spool_age;                                       /* ms */
    uint64_t spool_rate;                                      /* bytes per second */
    unsigned attribute_length, attribute_count, event_count;  /* of what is exported; 0: no limit */
    unsigned event_attribute_count, link_count, log_attribute_length, log_attribute_count;
    bool logs;           /* log messages, too */
    unsigned log_rate;   /* of one process per second; 0: no limit */
    unsigned calls_open; /* ms after which an open call is recorded; 0: never */
    unsigned calls_wait; /* ms of waiting for a monitor that are recorded; 0: never */

    /* Sampling; ratios are texts that tt_rule_ratio reads. */
    unsigned sampler;              /* enum tt_sampler_kind */
    char *sampler_ratio;           /* NULL: 1 */
    struct tt_list sampling_rules; /* as tt_rule_parse reads them */
    char *sampling_background;     /* NULL: depends on what is traced */
    unsigned sampling_rate;        /* traces per second; 0: no limit */
    bool sampling_errors, sampling_late;
    char *sampling_slow;            /* "p99", "no", or a duration */
    unsigned sampling_wait;         /* ms */
    unsigned sampling_spans;        /* held at most */
    unsigned flight_recorder;       /* ms; 0: none */
    unsigned flight_recorder_spans; /* at most */
    unsigned flight_recorder_on;    /* enum tt_flight_on */

    /* OTLP. What is not given for one signal is that of all, once parsed; but for endpoints. */
    char *otlp_endpoint; /* base URL; NULL: not set */
    struct tt_otlp_options otlp, otlp_of[TT_OTLP_SIGNALS];
    char *resource_attributes; /* key=value,key=value, percent-encoded */

    /* Metrics. */
    char *metrics_listen;           /* ADDRESS:PORT; NULL: no HTTP server */
    char *metrics_file;             /* NULL: none */
    struct tt_list metrics_exports; /* specifications for tt_points_new */
    enum tt_option_temporality metrics_temporality;
    bool metrics_spans, metrics_device, metrics_attribute, metrics_exemplars;
    enum tt_graph metrics_graph;
    enum tt_buckets metrics_buckets;
    unsigned metrics_series;
    unsigned metrics_interval; /* ms */
    char *service_name;        /* the agent's own; never NULL after parsing */

    /* Console. */
    bool all_roots;
    unsigned console_rate; /* traces per second */
    char *filter;          /* TraceQL; NULL: everything */
    enum tt_color color;

    /* The page. */
    char *view_listen;    /* ADDRESS:PORT, or "none" */
    uint64_t view_memory; /* bytes */
    unsigned view_age;    /* ms */
    char *view_token;     /* "auto", "none", or what it is; NULL: auto */
    char *view_certificate, *view_key,
        *view_client_ca; /* PEM files; NULL: no TLS; no certificate of clients */

    /* The agent. */
    uint64_t ring_size; /* bytes; a power of two, at least 64 KiB */
    unsigned join_wait; /* ms */
    bool command_lines;
    bool multi;       /* false: never use uprobe_multi */
    char *plan_cache; /* directory; "": none */
    char *record;     /* file that the raw events go to; NULL: none */
    char *control;    /* path; never NULL after parsing */
    char *control_group;
    enum tt_log_level log_level;

    /* This invocation. */
    char *config;
    enum tt_sort sort;  /* top .. */
    unsigned refresh;   /* ms */
    unsigned refreshes; /* 0: until stopped; once where the output is no terminal */
    char *speed;        /* replay: "max" or a factor */
    unsigned repeat;
    bool serve;  /* replay: the page, until it is stopped */
    char *tango; /* plan: the cppTango library that a device server is planned with; NULL: looked for */
    bool print_config, json, brief, help;
    char **arguments; /* what is no option, NULL-ended, texts of argv; owned, never NULL after parsing */
    char **command;   /* behind "--" (run), NULL-ended, into argv; NULL: none */

    /* What it was made of, for tt_options_reload. */
    enum tt_command made_for;
    char *const *made_of, *const *made_in;

    char *origin[TT_OPTIONS_MAX]; /* where the value of that row comes from; NULL: default */
};

/*
 * Fills *options (which need not be initialised) for `command` from `argv` (NULL-ended, behind the command's
 * name) and `environment`. 0; -EINVAL or another negative errno with *error (caller frees; what, where, what
 * to do). What is wrong in a variable of OpenTelemetry is warned of and ignored, as its specification
 * demands.
 */
int tt_options_parse(struct tt_options *options, enum tt_command command, char *const argv[],
                     char *const environment[], char **error);
void tt_options_free(struct tt_options *options);

/* Reads all sources of `old` again: its file may have changed. What cannot change while the agent runs stays
 * as it is, with a warning. The same results. */
int tt_options_reload(const struct tt_options *old, struct tt_options *options, char **error);
/* The same as `record` means them: events go to `path`, and nothing is exported unless asked for. 0 or
 * -ENOMEM. */
int tt_options_record(struct tt_options *options, const char *path);
/* What the options in which they differ affect: enum tt_affected, or-ed. */
unsigned tt_options_affected(const struct tt_options *a, const struct tt_options *b);

/* Was the option of that name given by the user, anywhere? */
bool tt_options_given(const struct tt_options *options, const char *name);

/* Checks the YAML text of a configuration file; `path` is for messages. */
int tt_options_check_yaml(const char *text, size_t size, const char *path, char **error);

/* Effective values and where they come from, as YAML that can be used as a file (secrets masked). */
void tt_options_print_config(const struct tt_options *options, struct tt_text *out);

/* The options of a command, for --help. */
void tt_options_help(enum tt_command command, struct tt_text *out);

/* The file's JSON schema, one object. */
struct tt_json;
void tt_options_schema(struct tt_json *json);

/* All options for a man page; `file`: as keys of the configuration file. */
void tt_options_manual(struct tt_text *out, bool file);
/* A text as troff takes it, on one line. */
void tt_troff(struct tt_text *out, const char *string);

/* docs/options.md. */
void tt_options_reference(struct tt_text *out);
