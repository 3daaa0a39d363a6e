/* SPDX-License-Identifier: GPL-2.0-only */
/* internal.h (private to options): the table's type. */
#pragma once

#include "options/options.h"

enum option_type {
    OPTION_BOOL,     /* bool; --name, --no-name, --name=yes */
    OPTION_TEXT,     /* char * */
    OPTION_SIZE,     /* uint64_t, bytes */
    OPTION_COUNT,    /* unsigned */
    OPTION_DURATION, /* unsigned, ms */
    OPTION_CHOICE,   /* an enum: index into choices */
    OPTION_LIST,     /* struct tt_list, repeatable */
    OPTION_SELECT,   /* struct tt_selection *, repeatable; "!PATTERN" excludes */
    OPTION_EXCLUDE,  /* the same selection, as an exclude */
};

/* Where an option may stand besides the command line. */
enum option_scope {
    SCOPE_EVERYWHERE, /* file and environment */
    SCOPE_INVOCATION, /* command line only */
    SCOPE_ENVIRONMENT /* command line and environment */
};

#define STANDARD_MAX 3

struct option {
    const char *alias;   /* another name, or NULL */
    const char *name;    /* "ring-size": --ring-size, TANGOTRACE_RING_SIZE, key ring-size */
    const char *group;   /* heading */
    const char *value;   /* what stands for the value in help; NULL for OPTION_BOOL */
    const char *initial; /* default as one would write it; NULL: none, or described by `initial_text` */
    const char *initial_text;
    const char *const *choices;         /* NULL-ended */
    const char *standard[STANDARD_MAX]; /* variables of OpenTelemetry, the more specific first */
    const char *help;
    /* What else a value must be (texts and lists), without opening anything: 0, or -EINVAL/-ENOMEM and *error
     * (malloc'ed). NULL: nothing. */
    int (*check)(const char *value, char **error);
    /* What a standard variable's value means in ours; NULL: nothing. Without it they mean the same. */
    const char *(*translate)(const char *variable, const char *value);
    size_t offset;     /* in struct tt_options */
    uint64_t min, max; /* of numbers; max 0: no limit but the type's */
    enum option_type type;
    enum option_scope scope;
    unsigned commands;    /* enum tt_command, or-ed */
    unsigned affects;     /* enum tt_affected, or-ed; 0: it is of one invocation */
    const char *inherits; /* the option of which it takes the value where it has none; NULL: of none */
    char letter;          /* short option or 0 */
    bool secret;
    bool pairs;        /* elements of the list are written "key=value; key=value", or as mappings in a file */
    bool strict;       /* a bad value is an error from standard variables, too */
    bool may_be_empty; /* OPTION_TEXT */
    bool power;        /* OPTION_SIZE: rounded up to a power of two */
};

extern const struct option tt_option_table[]; /* table.c, and rows_*.h */
extern const char *const tt_command_names[];  /* by bit of enum tt_command; ended by NULL */
extern const size_t tt_option_count;

bool tt_option_is_list(const struct option *option);
/* Takes the text over, also on failure; NULL is -ENOMEM. */
int tt_list_add(struct tt_list *list, char *text);
void tt_list_free(struct tt_list *list);

const struct option *tt_option_find(const char *name, size_t length);
/* TANGOTRACE_RING_SIZE; `buffer` of 64 bytes. */
const char *tt_option_environment(const struct option *option, char *buffer);

/* One value for one option, from any source. */
struct assignment {
    const struct option *option;
    char *value;  /* owned */
    char *where;  /* owned: "option --ring-size", "TANGOTRACE_RING_SIZE", "/etc/tangotrace.yaml:12" */
    bool lenient; /* from a standard variable: a bad value is warned of and ignored */
};

struct assignments {
    struct assignment *items;
    size_t count;
};

int tt_assign(struct assignments *list, const struct option *option, const char *value, size_t size,
              bool lenient, const char *where, ...) __attribute__((format(printf, 6, 7)));
void tt_assignments_free(struct assignments *list);

/* Reads YAML into assignments; does not look at the values but for their shape. */
int tt_options_read_yaml(const char *text, size_t size, const char *path, struct assignments *list,
                         char **error);

/* Sets one field, in place of all that earlier sources said if `first` of its source. */
int tt_option_set(struct tt_options *options, const struct assignment *assignment, char **error);
