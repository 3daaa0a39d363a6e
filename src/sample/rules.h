/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * rules.h: which traces are kept, as rules in an order, the first that matches decides: "device=b107a-*;
 * ratio=1", "trigger=polling; operation=*State*; ratio=0.01", "client=archiver; exclude=yes".
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "enrich/otel.h"

/* What a rule can ask of a span, each a glob without regard to case. */
enum tt_rule_field {
    TT_RULE_DEVICE,    /* the device that is asked, or whose span it is */
    TT_RULE_CLASS,     /* its class */
    TT_RULE_SERVER,    /* exec/instance, or exec */
    TT_RULE_OPERATION, /* what was done, or the span's name */
    TT_RULE_CLIENT,    /* script or program of the calling process */
    TT_RULE_ATTRIBUTE, /* one of the attributes that are read or written */
    TT_RULE_TRIGGER,   /* what set the trace off */
    TT_RULE_FIELDS
};

struct tt_rule {
    char *text;                  /* as it was given; owned, as the globs */
    char *globs[TT_RULE_FIELDS]; /* NULL: anything */
    double ratio;                /* share that is kept, besides what the tail rules keep */
    bool exclude;                /* dropped without asking them */
};

/* 0; -EINVAL with *error (caller frees); -ENOMEM. */
int tt_rule_parse(const char *text, struct tt_rule *rule, char **error);
void tt_rule_free(struct tt_rule *rule);

/* A number from 0 to 1. 0 or -EINVAL. */
int tt_rule_ratio(const char *text, double *ratio);

/* Does the span match all that the rule asks? */
bool tt_rule_match(const struct tt_rule *rule, const struct tt_otel_span *span);
/* Does one of them? */
bool tt_rule_match_any(const struct tt_rule *rule, struct tt_otel_span *const *spans, size_t count);
