/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * eval.c: does a span match? As in Tempo: what is not there, and what is of another type than it is compared
 * with, matches nothing, != and !~ included; a list matches = and =~ when one of its elements does, != and !~
 * when none does what = and =~ ask for.
 */
#include <string.h>

#include "query/internal.h"

struct matching {
    const struct tt_query *query;
    const struct tt_otel_span *span;
    const struct tt_query_trace *trace;
};

static bool is_true(const struct matching *m, const struct tt_query_node *node);

/* ---- values ---- */

static bool is_number(const struct tt_query_value *value)
{
    return value->type == TT_QUERY_INT || value->type == TT_QUERY_FLOAT || value->type == TT_QUERY_DURATION;
}

static double as_real(const struct tt_query_value *value)
{
    return value->type == TT_QUERY_FLOAT ? value->real : (double)value->integer;
}

static int sign(bool less, bool more)
{
    return more - less;
}

/* -1, 0, 1 of values that fit; 2: a number that is none (NaN) takes part. */
static int compare(const struct tt_query_value *a, const struct tt_query_value *b)
{
    double x, y;

    if (a->type == TT_QUERY_STRING) {
        int order = strcmp(a->string, b->string);

        return sign(order<0, order> 0);
    }
    if (a->type == TT_QUERY_BOOL)
        return sign(a->boolean<b->boolean, a->boolean> b->boolean);
    if (a->type != TT_QUERY_FLOAT && b->type != TT_QUERY_FLOAT)
        return sign(a->integer<b->integer, a->integer> b->integer);
    x = as_real(a);
    y = as_real(b);
    return x != x || y != y ? 2 : sign(x<y, x> y);
}

/* Whether the pair is as = (also for !=) or the order asks for; *fits: they are of types that can be
 * compared.
 */
static bool holds(enum tt_query_op op, const struct tt_query_value *a, const struct tt_query_value *b,
                  bool *fits)
{
    int order;

    if (a->type != b->type && !(is_number(a) && is_number(b)))
        return false;
    if (op != TT_OP_EQ && op != TT_OP_NE && !is_number(a) && a->type != TT_QUERY_STRING)
        return false; /* has no order */
    *fits = true;
    order = compare(a, b);
    switch (op) {
    case TT_OP_LT:
        return order == -1;
    case TT_OP_LE:
        return order == -1 || order == 0;
    case TT_OP_GT:
        return order == 1;
    case TT_OP_GE:
        return order == 1 || order == 0;
    default:
        return order == 0;
    }
}

/* ---- operands ---- */

/* The value number `index` of an operand; only fields have several. */
static bool value_of(const struct matching *m, const struct tt_query_node *node, size_t index,
                     struct tt_query_value *value)
{
    if (node->type == TT_NODE_FIELD)
        return tt_query_field_get(&node->field, m->span, m->trace, index, value);
    if (index)
        return false;
    if (node->type == TT_NODE_LITERAL) {
        *value = node->value;
        return true;
    }
    value->type = TT_QUERY_BOOL;
    value->boolean = is_true(m, node);
    return true;
}

static bool is_present(const struct matching *m, const struct tt_query_node *node)
{
    struct tt_query_value value;

    return value_of(m, node, 0, &value);
}

static bool matches_regex(const struct matching *m, const struct tt_query_node *node)
{
    const struct tt_query_node *left = &m->query->nodes[node->left];
    struct tt_query_value value;
    bool any = false, found = false;

    for (size_t i = 0; !found && value_of(m, left, i, &value); i++) {
        if (value.type != TT_QUERY_STRING)
            continue;
        any = true;
        found = tt_regex_match(node->regex, value.string);
    }
    return node->op == TT_OP_RE ? found : any && !found;
}

static bool matches_pairs(const struct matching *m, const struct tt_query_node *node)
{
    const struct tt_query_node *left = &m->query->nodes[node->left], *right = &m->query->nodes[node->right];
    struct tt_query_value a, b;
    bool fits = false, found = false;

    for (size_t i = 0; !found && value_of(m, left, i, &a); i++)
        for (size_t k = 0; !found && value_of(m, right, k, &b); k++)
            found = holds(node->op, &a, &b, &fits);
    return node->op == TT_OP_NE ? fits && !found : found;
}

static bool matches(const struct matching *m, const struct tt_query_node *node)
{
    const struct tt_query_node *left = &m->query->nodes[node->left], *right = &m->query->nodes[node->right];

    if (node->regex)
        return matches_regex(m, node);
    if (left->result == TT_QUERY_NIL || right->result == TT_QUERY_NIL)
        return is_present(m, left->result == TT_QUERY_NIL ? right : left) == (node->op == TT_OP_NE);
    return matches_pairs(m, node);
}

/* An attribute that stands alone is compared with true. */
static bool is_true(const struct matching *m, const struct tt_query_node *node)
{
    const struct tt_query_node *nodes = m->query->nodes;
    struct tt_query_value value;

    if (node->type != TT_NODE_OPERATION)
        return value_of(m, node, 0, &value) && value.type == TT_QUERY_BOOL && value.boolean;
    switch (node->op) {
    case TT_OP_NOT:
        return !is_true(m, &nodes[node->right]);
    case TT_OP_AND:
        return is_true(m, &nodes[node->left]) && is_true(m, &nodes[node->right]);
    case TT_OP_OR:
        return is_true(m, &nodes[node->left]) || is_true(m, &nodes[node->right]);
    default:
        return matches(m, node);
    }
}

/* ---- spans ---- */

bool tt_query_match(struct tt_query *query, const struct tt_otel_span *span,
                    const struct tt_query_trace *trace)
{
    const struct matching m = {query, span, trace};

    return is_true(&m, &query->nodes[query->root]);
}

static struct tt_query_trace describe(struct tt_otel_span *const *spans, size_t count)
{
    static const uint8_t none[8];
    uint64_t start = spans[0]->start, end = spans[0]->end;
    struct tt_query_trace trace = {0};

    for (size_t i = 0; i < count; i++) {
        if (!memcmp(spans[i]->parent_id, none, sizeof(none)))
            trace.root = spans[i];
        start = spans[i]->start < start ? spans[i]->start : start;
        end = spans[i]->end > end ? spans[i]->end : end;
    }
    trace.duration = end - start;
    return trace;
}

bool tt_query_match_trace(struct tt_query *query, struct tt_otel_span *const *spans, size_t count)
{
    struct tt_query_trace trace = {0};

    if (count && query->of_trace)
        trace = describe(spans, count);
    for (size_t i = 0; i < count; i++)
        if (tt_query_match(query, spans[i], &trace))
            return true;
    return false;
}
