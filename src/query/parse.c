/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * parse.c: from tokens to the compiled form. A filter is
 *
 *   filter     = "{" [ or ] "}"
 *   or         = and { "||" and }            and     = comparison { "&&" comparison }
 *   comparison = operand [ OPERATOR operand ]
 *   operand    = "!" operand | "(" or ")" | [ "-" ] NUMBER | LITERAL | FIELD
 *
 * Types that cannot be compared are refused here, as far as they are known without a span.
 */
#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "query/internal.h"

struct parser {
    const char *text;
    struct tt_query *query;
    struct tt_query_token token; /* the next one */
    unsigned depth;
    char *message; /* owned */
    size_t at;     /* byte of the text that it is about */
};

static int __attribute__((format(printf, 3, 4)))
fail(struct parser *parser, size_t at, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    if (vasprintf(&parser->message, format, args) < 0)
        parser->message = NULL;
    va_end(args);
    parser->at = at;
    return parser->message ? -EINVAL : -ENOMEM;
}

static int advance(struct parser *parser)
{
    const char *message = NULL;
    size_t at = 0;
    int err = tt_query_next_token(parser->text, parser->token.end, &parser->query->arena, &parser->token,
                                  &message, &at);

    return err == -EINVAL ? fail(parser, at, "%s", message) : err;
}

static bool is_operator(const struct parser *parser, enum tt_query_op op)
{
    return parser->token.type == TT_TOKEN_OPERATOR && parser->token.op == op;
}

/* ---- nodes ---- */

static struct tt_query_node *node_at(const struct parser *parser, unsigned node)
{
    return &parser->query->nodes[node];
}

static int add_node(struct parser *parser, size_t start, unsigned *node)
{
    struct tt_query *query = parser->query;

    *node = 0;
    if (query->count == TT_QUERY_NODES)
        return fail(parser, start, "the filter has too many parts");
    *node = query->count++;
    memset(&query->nodes[*node], 0, sizeof(query->nodes[0]));
    query->nodes[*node].start = start;
    query->nodes[*node].end = parser->token.end;
    return 0;
}

static int add_operation(struct parser *parser, enum tt_query_op op, size_t start, unsigned left,
                         unsigned right, unsigned *node)
{
    int err = add_node(parser, start, node);

    if (err)
        return err;
    *node_at(parser, *node) = (struct tt_query_node){.type = TT_NODE_OPERATION,
                                                     .result = TT_QUERY_BOOL,
                                                     .start = start,
                                                     .end = node_at(parser, right)->end,
                                                     .op = op,
                                                     .left = left,
                                                     .right = right};
    return 0;
}

/* ---- types ---- */

static const char *type_name(enum tt_query_type type)
{
    static const char *const names[] = {
        [TT_QUERY_NIL] = "nil",
        [TT_QUERY_BOOL] = "true or false",
        [TT_QUERY_INT] = "a number",
        [TT_QUERY_FLOAT] = "a number",
        [TT_QUERY_DURATION] = "a duration",
        [TT_QUERY_STRING] = "a text",
        [TT_QUERY_STATUS] = "a status (ok, error, unset)",
        [TT_QUERY_KIND] = "a kind (server, client, ...)",
        [TT_QUERY_ANY] = "an attribute",
    };

    return names[type];
}

static bool is_number(enum tt_query_type type)
{
    return type == TT_QUERY_INT || type == TT_QUERY_FLOAT || type == TT_QUERY_DURATION;
}

static bool is_order(enum tt_query_op op)
{
    return op == TT_OP_LT || op == TT_OP_LE || op == TT_OP_GT || op == TT_OP_GE;
}

static bool has_order(enum tt_query_type type)
{
    return is_number(type) || type == TT_QUERY_STRING || type == TT_QUERY_ANY;
}

static bool fit(enum tt_query_type a, enum tt_query_type b)
{
    return a == b || a == TT_QUERY_ANY || b == TT_QUERY_ANY || (is_number(a) && is_number(b));
}

static int check_condition(struct parser *parser, unsigned node)
{
    const struct tt_query_node *n = node_at(parser, node);

    if (n->result == TT_QUERY_BOOL || n->result == TT_QUERY_ANY)
        return 0;
    return fail(parser, n->start, "this is %s, no condition: compare it with something",
                type_name(n->result));
}

static int check_regex(struct parser *parser, unsigned left, unsigned right, struct tt_regex **regex)
{
    const struct tt_query_node *l = node_at(parser, left), *r = node_at(parser, right);
    _cleanup_free_ char *why = NULL;
    size_t at = 0;
    int err;

    if (l->result != TT_QUERY_STRING && l->result != TT_QUERY_ANY)
        return fail(parser, l->start, "a regular expression is for texts, this is %s", type_name(l->result));
    if (r->type != TT_NODE_LITERAL || r->result != TT_QUERY_STRING)
        return fail(parser, r->start, "a regular expression in quotes is expected here");
    err = tt_regex_compile(r->value.string, regex, &why, &at);
    if (err == -EINVAL) /* behind the quote; exact unless there are escapes before it */
        return fail(parser, r->start + 1 + at < r->end ? r->start + 1 + at : r->start,
                    "regular expression: %s", why ? why : "not valid");
    return err;
}

static int check_nil(struct parser *parser, enum tt_query_op op, size_t at, unsigned left, unsigned right)
{
    const struct tt_query_node *l = node_at(parser, left), *r = node_at(parser, right);
    const struct tt_query_node *other = l->result == TT_QUERY_NIL ? r : l;

    if (op != TT_OP_EQ && op != TT_OP_NE)
        return fail(parser, at, "with nil there is only = and !=");
    if (other->type != TT_NODE_FIELD)
        return fail(parser, other->start, "only a field can be nil");
    return 0;
}

static int check_comparison(struct parser *parser, enum tt_query_op op, size_t at, unsigned left,
                            unsigned right)
{
    enum tt_query_type l = node_at(parser, left)->result, r = node_at(parser, right)->result;

    if (l == TT_QUERY_NIL || r == TT_QUERY_NIL)
        return check_nil(parser, op, at, left, right);
    if (!fit(l, r))
        return fail(parser, at, "%s cannot be compared with %s", type_name(l), type_name(r));
    if (is_order(op) && (!has_order(l) || !has_order(r)))
        return fail(parser, at, "%s has no order: only = and != are possible",
                    type_name(has_order(l) ? r : l));
    return 0;
}

/* An id is compared as a text of its full length: leading zeros may be left out, as in Tempo. */
static int complete_id(struct parser *parser, const struct tt_query_field *field,
                       struct tt_query_node *literal)
{
    size_t digits = tt_query_field_digits(field), length;
    char *full;

    if (!digits || literal->type != TT_NODE_LITERAL || literal->result != TT_QUERY_STRING)
        return 0;
    length = strlen(literal->value.string);
    if (length > digits || strspn(literal->value.string, "0123456789abcdefABCDEF") != length)
        return fail(parser, literal->start, "an id of %zu hexadecimal digits is expected", digits);
    full = tt_arena_alloc(&parser->query->arena, digits + 1);
    if (!full)
        return -ENOMEM;
    memset(full, '0', digits - length);
    for (size_t i = 0; i < length; i++)
        full[digits - length + i] = (char)tolower((unsigned char)literal->value.string[i]);
    literal->value.string = full;
    return 0;
}

static int complete_ids(struct parser *parser, unsigned left, unsigned right)
{
    struct tt_query_node *l = node_at(parser, left), *r = node_at(parser, right);
    int err = l->type == TT_NODE_FIELD ? complete_id(parser, &l->field, r) : 0;

    return !err && r->type == TT_NODE_FIELD ? complete_id(parser, &r->field, l) : err;
}

/* ---- the grammar ---- */

static int parse_or(struct parser *parser, unsigned *node);
static int parse_operand(struct parser *parser, unsigned *node);

static int enter(struct parser *parser, size_t at)
{
    if (++parser->depth > TT_QUERY_DEPTH)
        return fail(parser, at, "brackets and negations are nested too deeply");
    return 0;
}

static int parse_negation(struct parser *parser, unsigned *node)
{
    size_t start = parser->token.start;
    unsigned operand = 0;
    int err = enter(parser, start);

    if (!err)
        err = advance(parser);
    if (!err)
        err = parse_operand(parser, &operand);
    if (!err)
        err = check_condition(parser, operand);
    parser->depth--;
    return err ? err : add_operation(parser, TT_OP_NOT, start, operand, operand, node);
}

static int parse_brackets(struct parser *parser, unsigned *node)
{
    size_t start = parser->token.start;
    int err = enter(parser, start);

    if (!err)
        err = advance(parser);
    if (!err)
        err = parse_or(parser, node);
    if (err)
        return err;
    parser->depth--;
    if (parser->token.type != TT_TOKEN_CLOSE)
        return fail(parser, parser->token.start, "a closing bracket is missing here");
    return advance(parser);
}

static int parse_negative(struct parser *parser, unsigned *node)
{
    size_t start = parser->token.start;
    struct tt_query_value value;
    int err = advance(parser);

    if (err)
        return err;
    value = parser->token.value;
    if (parser->token.type != TT_TOKEN_LITERAL || !is_number(value.type))
        return fail(parser, parser->token.start, "a number is expected behind the minus");
    err = add_node(parser, start, node);
    if (err)
        return err;
    if (value.type == TT_QUERY_FLOAT)
        value.real = -value.real;
    else /* of INT64_MIN (minInt) the negative is no number */
        value.integer = value.integer == INT64_MIN ? INT64_MAX : -value.integer;
    node_at(parser, *node)->result = value.type;
    node_at(parser, *node)->value = value;
    return advance(parser);
}

static int parse_leaf(struct parser *parser, unsigned *node)
{
    const struct tt_query_token *token = &parser->token;
    struct tt_query_node *n;
    int err = add_node(parser, token->start, node);

    if (err)
        return err;
    n = node_at(parser, *node);
    if (token->type == TT_TOKEN_LITERAL) {
        n->result = token->value.type;
        n->value = token->value;
    } else {
        n->type = TT_NODE_FIELD;
        n->field = token->field;
        n->result = tt_query_field_type(&token->field);
        parser->query->of_trace |= tt_query_field_of_trace(&token->field);
    }
    return advance(parser);
}

static int parse_operand(struct parser *parser, unsigned *node)
{
    const struct tt_query_token *token = &parser->token;

    if (is_operator(parser, TT_OP_NOT))
        return parse_negation(parser, node);
    if (is_operator(parser, TT_OP_MINUS))
        return parse_negative(parser, node);
    if (token->type == TT_TOKEN_OPEN)
        return parse_brackets(parser, node);
    if (token->type == TT_TOKEN_LITERAL || token->type == TT_TOKEN_FIELD)
        return parse_leaf(parser, node);
    return fail(parser, token->start, "a field or a value is expected here");
}

static int parse_comparison(struct parser *parser, unsigned *node)
{
    struct tt_regex *regex = NULL;
    unsigned left = 0, right = 0;
    enum tt_query_op op;
    size_t at;
    int err = parse_operand(parser, &left);

    if (err)
        return err;
    op = parser->token.op;
    at = parser->token.start;
    if (parser->token.type != TT_TOKEN_OPERATOR || op <= TT_OP_NOT || op == TT_OP_MINUS) {
        *node = left;
        return 0;
    }
    err = advance(parser);
    if (!err)
        err = parse_operand(parser, &right);
    if (err)
        return err;
    if (op == TT_OP_RE || op == TT_OP_NRE)
        err = check_regex(parser, left, right, &regex);
    else
        err = check_comparison(parser, op, at, left, right);
    if (!err)
        err = complete_ids(parser, left, right);
    if (!err)
        err = add_operation(parser, op, node_at(parser, left)->start, left, right, node);
    if (err)
        tt_regex_free(&regex);
    else
        node_at(parser, *node)->regex = regex;
    return err;
}

/* Operands of && and of ||, which only differ in what they are made of. */
static int parse_chain(struct parser *parser, enum tt_query_op op,
                       int (*parse)(struct parser *parser, unsigned *node), unsigned *node)
{
    unsigned right = 0;
    int err = parse(parser, node);

    while (!err && is_operator(parser, op)) {
        err = check_condition(parser, *node);
        if (!err)
            err = advance(parser);
        if (!err)
            err = parse(parser, &right);
        if (!err)
            err = check_condition(parser, right);
        if (!err)
            err = add_operation(parser, op, node_at(parser, *node)->start, *node, right, node);
    }
    return err;
}

static int parse_and(struct parser *parser, unsigned *node)
{
    return parse_chain(parser, TT_OP_AND, parse_comparison, node);
}

static int parse_or(struct parser *parser, unsigned *node)
{
    return parse_chain(parser, TT_OP_OR, parse_and, node);
}

/* {} selects everything. */
static int parse_empty(struct parser *parser, unsigned *node)
{
    int err = add_node(parser, parser->token.start, node);

    if (err)
        return err;
    node_at(parser, *node)->result = TT_QUERY_BOOL;
    node_at(parser, *node)->value = (struct tt_query_value){.type = TT_QUERY_BOOL, .boolean = true};
    return 0;
}

static int parse_end(struct parser *parser)
{
    if (parser->token.type == TT_TOKEN_END)
        return 0;
    return fail(
        parser, parser->token.start,
        "nothing can follow the closing brace: a filter is one {...}, without pipelines or further sets");
}

static int parse_filter(struct parser *parser)
{
    unsigned *root = &parser->query->root;
    int err = advance(parser);

    if (err)
        return err;
    if (parser->token.type != TT_TOKEN_OPEN_BRACE)
        return fail(parser, parser->token.start, "a filter stands in braces: {name = \"...\"}");
    err = advance(parser);
    if (err)
        return err;
    if (parser->token.type == TT_TOKEN_CLOSE_BRACE)
        err = parse_empty(parser, root);
    else
        err = parse_or(parser, root);
    if (err)
        return err;
    if (parser->token.type != TT_TOKEN_CLOSE_BRACE)
        return fail(parser, parser->token.start, "an operator or the closing brace is expected here");
    err = check_condition(parser, *root);
    if (!err)
        err = advance(parser);
    return err ? err : parse_end(parser);
}

/* ---- errors for people ---- */

#define SHOWN_BEFORE 60 /* bytes of the query around the place of an error */
#define SHOWN_AFTER  40

static bool inside_character(char c)
{
    return ((unsigned char)c & 0xc0) == 0x80;
}

/* What is wrong; the query, as much as fits a line; a caret. */
static char *explain(const struct parser *parser)
{
    struct tt_text out = {0};
    size_t length = strlen(parser->text), at = parser->at < length ? parser->at : length;
    size_t from = at > SHOWN_BEFORE ? at - SHOWN_BEFORE : 0;
    size_t to = length - at > SHOWN_AFTER ? at + SHOWN_AFTER : length;
    size_t columns = 0;
    _cleanup_free_ char *part = NULL;

    while (from < at && inside_character(parser->text[from]))
        from++;
    while (to < length && inside_character(parser->text[to]))
        to++;
    part = strndup(parser->text + from, to - from);
    if (!part)
        return NULL;
    for (char *c = part; *c; c++)
        *c = isspace((unsigned char)*c) ? ' ' : *c;
    for (size_t i = from; i < at; i++)
        columns += !inside_character(parser->text[i]);
    tt_text_printf(&out, "%s\n  %s", parser->message, from ? "..." : "");
    tt_text_safe(&out, part);
    tt_text_printf(&out, "%s\n  %*s^", to < length ? "..." : "", (int)(columns + (from ? 3 : 0)), "");
    return tt_text_take(&out);
}

/* ---- life ---- */

void tt_query_free(struct tt_query **query)
{
    struct tt_query *q = *query;

    *query = NULL;
    if (!q)
        return;
    for (unsigned i = 0; i < q->count; i++)
        tt_regex_free(&q->nodes[i].regex);
    free(q->nodes);
    tt_arena_free(&q->arena);
    free(q);
}

/* parser->message is the caller's. */
static int compile(struct parser *parser, struct tt_query **query)
{
    _cleanup_(tt_query_free) struct tt_query *made = calloc(1, sizeof(*made));
    int err;

    if (!made)
        return -ENOMEM;
    parser->query = made;
    made->nodes = calloc(TT_QUERY_NODES, sizeof(made->nodes[0]));
    if (!made->nodes)
        return -ENOMEM;
    if (strlen(parser->text) > TT_QUERY_MAX)
        err = fail(parser, TT_QUERY_MAX, "the filter is longer than %d bytes", TT_QUERY_MAX);
    else
        err = parse_filter(parser);
    if (!err)
        *query = TAKE_PTR(made);
    return err;
}

int tt_query_compile(const char *text, struct tt_query **query, char **error)
{
    struct parser parser = {.text = text};
    int err = compile(&parser, query);

    if (err == -EINVAL)
        *error = explain(&parser);
    free(parser.message);
    return err;
}

int tt_query_compile_at(const char *text, struct tt_query **query, char **message, size_t *at)
{
    struct parser parser = {.text = text};
    int err = compile(&parser, query);

    if (err == -EINVAL) {
        *message = TAKE_PTR(parser.message);
        *at = parser.at;
    }
    free(parser.message);
    return err;
}

uint64_t tt_query_given_up(const struct tt_query *query)
{
    uint64_t sum = 0;

    for (unsigned i = 0; i < query->count; i++)
        sum += query->nodes[i].regex ? tt_regex_given_up(query->nodes[i].regex) : 0;
    return sum;
}
