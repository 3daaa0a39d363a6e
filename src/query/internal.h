/* SPDX-License-Identifier: GPL-2.0-only */
/* internal.h (private to query): tokens, fields and the compiled form, between lexer, parser and evaluation.
 */
#pragma once

#include "base/arena.h"
#include "query/query.h"
#include "query/regex.h"

/* ---- values ---- */

/* Types of values and of expressions; ANY: an attribute, whose type only a span tells. */
enum tt_query_type {
    TT_QUERY_NIL,
    TT_QUERY_BOOL,
    TT_QUERY_INT,
    TT_QUERY_FLOAT,
    TT_QUERY_DURATION,
    TT_QUERY_STRING,
    TT_QUERY_STATUS,
    TT_QUERY_KIND,
    TT_QUERY_ANY,
};

struct tt_query_value {
    enum tt_query_type type;
    union {
        bool boolean;
        int64_t integer; /* also DURATION (ns), STATUS and KIND (OTLP's numbers) */
        double real;
        const char *string;
    };
    char hex[33]; /* what `string` of an id points to */
};

/* ---- tokens ---- */

enum tt_query_token_type {
    TT_TOKEN_END,
    TT_TOKEN_OPEN_BRACE,
    TT_TOKEN_CLOSE_BRACE,
    TT_TOKEN_OPEN,
    TT_TOKEN_CLOSE,
    TT_TOKEN_OPERATOR, /* `op` */
    TT_TOKEN_LITERAL,  /* `value` */
    TT_TOKEN_FIELD,    /* `field` */
};

enum tt_query_op {
    TT_OP_OR,
    TT_OP_AND,
    TT_OP_NOT,
    TT_OP_EQ,
    TT_OP_NE,
    TT_OP_LT,
    TT_OP_LE,
    TT_OP_GT,
    TT_OP_GE,
    TT_OP_RE,
    TT_OP_NRE,
    TT_OP_MINUS, /* in front of a number */
};

enum tt_query_scope { TT_SCOPE_BOTH, TT_SCOPE_SPAN, TT_SCOPE_RESOURCE, TT_SCOPE_EVENT };

struct tt_query_intrinsic;

/* Something of a span: an intrinsic, or the attribute `key` of a scope. */
struct tt_query_field {
    const struct tt_query_intrinsic *intrinsic; /* NULL: an attribute */
    enum tt_query_scope scope;
    const char *key;
};

struct tt_query_token {
    enum tt_query_token_type type;
    size_t start, end; /* in the text */
    enum tt_query_op op;
    struct tt_query_value value;
    struct tt_query_field field;
};

/* ---- fields.c ---- */

/* By TraceQL's name, with its scope ("span:name") or without ("name"); NULL: there is none. */
const struct tt_query_intrinsic *tt_query_intrinsic_find(const char *name, size_t length);
enum tt_query_type tt_query_field_type(const struct tt_query_field *field);
/* Digits of an id that has so many of them; 0: the field is no id. */
size_t tt_query_field_digits(const struct tt_query_field *field);
/* Is it one of the trace as a whole? */
bool tt_query_field_of_trace(const struct tt_query_field *field);

/* The value number `index` of a field: lists have several, events too, most have one. False: there is none.
 */
bool tt_query_field_get(const struct tt_query_field *field, const struct tt_otel_span *span,
                        const struct tt_query_trace *trace, size_t index, struct tt_query_value *value);

/* ---- lex.c ---- */

/* Strings of tokens go into the arena. 0; -EINVAL with *message and *position; -ENOMEM. */
int tt_query_next_token(const char *text, size_t position, struct tt_arena *arena,
                        struct tt_query_token *token, const char **message, size_t *at);

/* ---- the compiled form ---- */

#define TT_QUERY_NODES 512 /* operators and operands of one query */
#define TT_QUERY_DEPTH 64  /* brackets and negations in each other */

enum tt_query_node_type { TT_NODE_LITERAL, TT_NODE_FIELD, TT_NODE_OPERATION };

struct tt_query_node {
    enum tt_query_node_type type;
    enum tt_query_type result;
    size_t start, end; /* in the text */
    enum tt_query_op op;
    unsigned left, right; /* numbers of nodes; `right` alone for a negation */
    struct tt_query_value value;
    struct tt_query_field field;
    struct tt_regex *regex; /* of =~ and !~; owned by the query */
};

struct tt_query {
    struct tt_arena arena;
    struct tt_query_node *nodes;
    unsigned count, root;
    bool of_trace; /* asks for a field of the trace */
};
