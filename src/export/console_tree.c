/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One trace as a tree:
 *
 *   12:03:04.123456  4bf92f35  1.234 ms  read double_scalar  scan.py ws1:4711
 *   └─ CLIENT   read double_scalar     sys/tg_test/1      1.234 ms
 *      └─ SERVER   read double_scalar  sys/tg_test/1      0.567 ms  TangoTest TangoTest/test[815]
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/cleanup.h"
#include "export/console.h"
#include "base/utf8.h"

#define DEPTH_MAX   63  /* deeper spans are drawn at this depth: a bit per level */
#define LINES_MAX   200 /* spans of one trace that are drawn */
#define LABEL_MAX   64  /* widest column of names that is aligned */
#define DEVICE_MAX  40
#define MESSAGE_MAX 300 /* characters of an error */
#define KIND_WIDTH  9

struct node {
    const struct tt_otel_span *span;
    struct node *parent, *child, *last_child, *next;
    unsigned depth;
    uint64_t bars; /* bit d: an ancestor at depth d (or the node itself) has a sibling below */
};

struct tree {
    struct node *nodes; /* by start time */
    struct node **by_id;
    size_t count;
    struct tt_otel_log *const *logs; /* in order of time */
    size_t log_count;
    struct node roots; /* only its children */
    unsigned label_width, device_width;
    const struct tt_console_style *style;
    struct tt_text *out;
};

struct glyphs {
    const char *branch, *last, *bar, *gap, *dots, *error;
};

static const struct glyphs utf8_glyphs = {"├─ ", "└─ ", "│  ", "   ", "…", "✗"};
static const struct glyphs ascii_glyphs = {"|- ", "`- ", "|  ", "   ", "...", "x"};

enum paint { PLAIN, BOLD, DIM, RED, GREEN, YELLOW, MAGENTA, CYAN };
static const char *const codes[] = {"0", "1", "2", "31", "32", "33", "35", "36"};

static const struct {
    const char *name;
    enum paint paint;
} kinds[] = {{"?", PLAIN},     {"INTERNAL", DIM},     {"SERVER", GREEN},
             {"CLIENT", CYAN}, {"PRODUCER", MAGENTA}, {"CONSUMER", MAGENTA}};

/* ---- text -------------------------------------------------------------------------------------------- */

static const struct glyphs *glyphs(const struct tree *tree)
{
    return tree->style->utf8 ? &utf8_glyphs : &ascii_glyphs;
}

static void paint_on(struct tree *tree, enum paint paint)
{
    if (tree->style->color && paint != PLAIN)
        tt_text_printf(tree->out, "\033[%sm", codes[paint]);
}

static void paint_off(struct tree *tree, enum paint paint)
{
    if (tree->style->color && paint != PLAIN)
        tt_text_puts(tree->out, "\033[0m");
}

/* Bytes of the character at `text` (an invalid byte is one), and what to print for it: NULL = itself. */
static size_t safe_char(const struct tree *tree, const char *text, size_t left, const char **instead)
{
    unsigned char c = (unsigned char)text[0];
    size_t length = tt_utf8_length(text, left);

    /* Control characters are also those of ISO 6429's upper half. */
    bool control = c < 0x20 || c == 0x7f || (c == 0xc2 && (unsigned char)text[1] < 0xa0);

    *instead = NULL;
    if (c == '\n' || c == '\t' || c == '\r')
        *instead = " ";
    else if (!length || control || (length > 1 && !tree->style->utf8))
        *instead = "?";
    return length ? length : 1;
}

/* Adds at most `most` characters of what a target process called something: nothing in it may move the
 * reader's cursor. */
static void put_safe(struct tree *tree, const char *text, unsigned most)
{
    size_t size = strlen(text), length;
    const char *instead;

    for (size_t i = 0; i < size; i += length) {
        if (most-- == 0) {
            tt_text_puts(tree->out, glyphs(tree)->dots);
            return;
        }
        length = safe_char(tree, text + i, size - i, &instead);
        if (instead)
            tt_text_puts(tree->out, instead);
        else
            tt_text_add(tree->out, text + i, length);
    }
}

/* Columns that put_safe fills; wide (CJK) characters count as one. */
static unsigned width(const struct tree *tree, const char *text)
{
    size_t size = strlen(text);
    unsigned columns = 0;
    const char *instead;

    for (size_t i = 0; i < size; columns++)
        i += safe_char(tree, text + i, size - i, &instead);
    return columns;
}

static void pad(struct tree *tree, unsigned have, unsigned want)
{
    if (have < want)
        tt_text_printf(tree->out, "%*s", (int)(want - have), "");
}

static void put_painted(struct tree *tree, enum paint paint, const char *text, unsigned most)
{
    paint_on(tree, paint);
    put_safe(tree, text, most);
    paint_off(tree, paint);
}

static void put_duration(struct tree *tree, int columns, uint64_t start, uint64_t end)
{
    double ms = (double)(end > start ? end - start : 0) / 1e6;

    if (ms < 10000)
        tt_text_printf(tree->out, "%*.3f ms", columns, ms);
    else
        tt_text_printf(tree->out, "%*.3f s ", columns, ms / 1e3);
}

/* ---- what a span says -------------------------------------------------------------------------------- */

static const char *find_string(const struct tt_otel_attribute *attributes, size_t count, const char *key)
{
    const struct tt_otel_attribute *attribute = tt_otel_find(attributes, count, key);

    return attribute && attribute->type == TT_OTEL_STRING ? attribute->value.string : NULL;
}

static const char *title_of(const struct tt_otel_span *span)
{
    return span->title ? span->title : span->name ? span->name : "";
}

static const char *device_of(const struct tt_otel_span *span)
{
    static const char database[] = "Tango::Database::";
    const char *target = find_string(span->attributes, span->attribute_count, "tango.operation.target");

    if (target)
        return target;
    /* What is looked for in the database, not who looks. */
    if (span->name && !strncmp(span->name, database, sizeof(database) - 1)) {
        target = find_string(span->attributes, span->attribute_count, "tango.operation.argument");
        return target ? target : "";
    }
    /* The resource of a call is the caller's. */
    return span->resource->is_client || span->kind == 3 /* CLIENT */ ? "" : span->resource->instance;
}

/* NULL when the span did not fail. */
static const char *error_of(const struct tt_otel_span *span)
{
    const char *type;

    if (span->status != TT_OTEL_ERROR)
        return NULL;
    if (span->status_message && *span->status_message)
        return span->status_message;
    type = find_string(span->attributes, span->attribute_count, "error.type");
    return type ? type : "failed";
}

/* An error passes through the calls above it: it is spelled out once, where it came from. */
static bool shown_below(const struct node *node, const char *error)
{
    for (const struct node *child = node->child; child; child = child->next) {
        const char *other = error_of(child->span);

        if (other && strcmp(other, error) == 0)
            return true;
    }
    return false;
}

/* "TangoTest TangoTest/test[815]" or "scan.py ws1:4711". */
static void put_process(struct tree *tree, const struct tt_otel_resource *resource)
{
    const char *server = find_string(resource->attributes, resource->attribute_count, "tango.server.name");
    const struct tt_otel_attribute *pid = tt_otel_find(resource->attributes, resource->attribute_count,
                                                       "process.pid");

    put_safe(tree, resource->service_name, LABEL_MAX);
    if (resource->is_client || !server) {
        if (resource->is_client && *resource->instance) {
            tt_text_puts(tree->out, " ");
            put_safe(tree, resource->instance, LABEL_MAX);
        }
        return;
    }
    tt_text_puts(tree->out, " ");
    put_safe(tree, server, LABEL_MAX);
    if (pid && pid->type == TT_OTEL_INT)
        tt_text_printf(tree->out, "[%" PRId64 "]", pid->value.integer);
}

/* ---- the tree ---------------------------------------------------------------------------------------- */

static int by_start(const void *a, const void *b)
{
    const struct tt_otel_span *x = ((const struct node *)a)->span, *y = ((const struct node *)b)->span;

    if (x->start != y->start)
        return x->start < y->start ? -1 : 1;
    if (x->end != y->end)
        return x->end > y->end ? -1 : 1; /* the longer one holds the other */
    return memcmp(x->span_id, y->span_id, sizeof(x->span_id));
}

static int by_id(const void *a, const void *b)
{
    return memcmp((*(struct node *const *)a)->span->span_id, (*(struct node *const *)b)->span->span_id, 8);
}

static struct node *find_node(const struct tree *tree, const uint8_t id[8])
{
    size_t low = 0, high = tree->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = memcmp(id, tree->by_id[middle]->span->span_id, 8);

        if (order == 0)
            return tree->by_id[middle];
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}

static void adopt(struct node *parent, struct node *child)
{
    child->parent = parent;
    if (parent->last_child)
        parent->last_child->next = child;
    else
        parent->child = child;
    parent->last_child = child;
}

static bool is_above(const struct node *node, const struct node *other)
{
    for (; other; other = other->parent) {
        if (other == node)
            return true;
    }
    return false;
}

/* Ids come from the agent itself, but a tree that is none must not hang the console. */
static void link_nodes(struct tree *tree)
{
    for (size_t i = 0; i < tree->count; i++) {
        struct node *node = &tree->nodes[i], *parent = find_node(tree, node->span->parent_id);

        adopt(parent && !is_above(node, parent) ? parent : &tree->roots, node);
    }
}

static struct node *next_in_order(const struct tree *tree, struct node *node)
{
    if (node->child)
        return node->child;
    while (node != &tree->roots && !node->next)
        node = node->parent;
    return node == &tree->roots ? NULL : node->next;
}

static unsigned label_columns(const struct tree *tree, const struct node *node)
{
    return 3 * (node->depth + 1) + KIND_WIDTH + width(tree, title_of(node->span));
}

/* Depths, bars, and the widths of the columns. */
static void measure(struct tree *tree)
{
    size_t lines = 0;

    for (struct node *node = tree->roots.child; node && lines < LINES_MAX;
         node = next_in_order(tree, node), lines++) {
        const struct node *parent = node->parent;
        unsigned label, device;

        node->depth = parent == &tree->roots ? 0 : parent->depth < DEPTH_MAX ? parent->depth + 1 : DEPTH_MAX;
        node->bars = parent == &tree->roots ? 0 : parent->bars;
        if (node->next)
            node->bars |= 1ULL << node->depth;
        else
            node->bars &= ~(1ULL << node->depth);
        label = label_columns(tree, node);
        device = width(tree, device_of(node->span));
        if (label > tree->label_width && label <= LABEL_MAX)
            tree->label_width = label;
        if (device > tree->device_width && device <= DEVICE_MAX)
            tree->device_width = device;
    }
}

static void put_bars(struct tree *tree, const struct node *node, unsigned levels)
{
    for (unsigned d = 0; d < levels; d++)
        tt_text_puts(tree->out, node->bars >> d & 1 ? glyphs(tree)->bar : glyphs(tree)->gap);
}

/* A line of its own below the span. */
static void put_note(struct tree *tree, const struct node *node, enum paint paint, const char *mark,
                     const char *text)
{
    paint_on(tree, DIM);
    put_bars(tree, node, node->depth + 1);
    tt_text_puts(tree->out, node->child ? glyphs(tree)->bar : glyphs(tree)->gap);
    paint_off(tree, DIM);
    paint_on(tree, paint);
    tt_text_printf(tree->out, "%s ", mark);
    put_safe(tree, text, MESSAGE_MAX);
    paint_off(tree, paint);
    tt_text_puts(tree->out, "\n");
}

static void put_incomplete(struct tree *tree, const struct node *node)
{
    const struct tt_otel_span *span = node->span;
    const struct tt_otel_attribute *why = tt_otel_find(span->attributes, span->attribute_count,
                                                       "tangotrace.incomplete");
    struct tt_text text = {0};

    if (!why)
        return;
    tt_text_puts(&text, "incomplete: ");
    if (why->type == TT_OTEL_STRING)
        tt_text_puts(&text, why->value.string);
    for (size_t i = 0; why->type == TT_OTEL_STRINGS && i < why->value.strings.count; i++)
        tt_text_printf(&text, "%s%s", i ? ", " : "", why->value.strings.items[i]);
    for (char *c = text.data; c && *c; c++)
        *c = *c == '_' ? ' ' : *c;
    if (!text.failed)
        put_note(tree, node, YELLOW, "?", text.data);
    tt_text_free(&text);
}

static bool has_ledger(const struct tt_otel_span *span)
{
    return tt_otel_find(span->attributes, span->attribute_count, "tango.time.rest_ns");
}

/* Where the time went. Of the two sides of a call, the client's has the server's in it. */
static void put_ledger(struct tree *tree, const struct node *node)
{
    static const char prefix[] = "tango.time.";
    const struct tt_otel_span *span = node->span;
    const struct tt_otel_span *above = node->parent->span; /* NULL: it is a root */
    struct tt_text text = {0};

    if (!has_ledger(span) || (above && has_ledger(above)))
        return;
    for (size_t i = 0; i < span->attribute_count; i++) {
        const struct tt_otel_attribute *a = &span->attributes[i];
        const char *part = a->key + sizeof(prefix) - 1;

        if (strncmp(a->key, prefix, sizeof(prefix) - 1) != 0 || a->type != TT_OTEL_INT)
            continue;
        tt_text_printf(&text, "%s%.*s %.3f ms", text.size ? ", " : "", (int)strlen(part) - 3, part,
                       (double)a->value.integer / 1e6);
    }
    for (char *c = text.data; c && *c; c++)
        *c = *c == '_' ? ' ' : *c;
    if (!text.failed)
        put_note(tree, node, DIM, "=", text.data);
    tt_text_free(&text);
}

/* A reply is not inside the call that it answers: where that is found. */
static void put_links(struct tree *tree, const struct node *node)
{
    for (size_t i = 0; i < node->span->link_count; i++) {
        const struct tt_otel_link *link = &node->span->links[i];
        struct tt_text text = {0};

        tt_text_puts(&text, "linked to span ");
        for (size_t j = 0; j < sizeof(link->span_id); j++)
            tt_text_printf(&text, "%02x", link->span_id[j]);
        tt_text_puts(&text, " of trace ");
        for (size_t j = 0; j < sizeof(link->trace_id); j++)
            tt_text_printf(&text, "%02x", link->trace_id[j]);
        if (!text.failed)
            put_note(tree, node, DIM, "~", text.data);
        tt_text_free(&text);
    }
}

static bool is_of(const struct tt_otel_log *log, const struct node *node)
{
    return !memcmp(log->span_id, node->span->span_id, sizeof(log->span_id));
}

/* The log messages that were written in the span. */
static void put_logs(struct tree *tree, const struct node *node)
{
    for (size_t i = 0; i < tree->log_count; i++) {
        const struct tt_otel_log *log = tree->logs[i];

        if (is_of(log, node))
            put_note(tree, node,
                     log->severity >= 17   ? RED
                     : log->severity >= 13 ? YELLOW
                                           : DIM,
                     *log->severity_text ? log->severity_text : "LOG", log->body);
    }
}

static void put_label(struct tree *tree, const struct node *node, bool failed)
{
    const struct tt_otel_span *span = node->span;
    size_t kind = span->kind > 0 && (size_t)span->kind < TT_ARRAY_SIZE(kinds) ? (size_t)span->kind : 0;

    paint_on(tree, DIM);
    put_bars(tree, node, node->depth);
    tt_text_puts(tree->out, node->next ? glyphs(tree)->branch : glyphs(tree)->last);
    paint_off(tree, DIM);
    paint_on(tree, kinds[kind].paint);
    tt_text_printf(tree->out, "%-*s", KIND_WIDTH, kinds[kind].name);
    paint_off(tree, kinds[kind].paint);
    put_painted(tree, failed ? RED : PLAIN, title_of(span), MESSAGE_MAX);
    pad(tree, label_columns(tree, node), tree->label_width);
}

/* Whether the line says whose span it is: where the trace enters another process or device. */
static bool shows_process(const struct node *node)
{
    const struct tt_otel_span *above = node->parent->span;

    return node->span->kind == 2 || (above && above->resource != node->span->resource);
}

/* Where methods and callers stand in the source. */
static void put_code(struct tree *tree, const struct tt_otel_span *span, bool failed)
{
    const struct tt_otel_attribute *file = tt_otel_find(span->attributes, span->attribute_count,
                                                        "code.file.path");
    const struct tt_otel_attribute *line = tt_otel_find(span->attributes, span->attribute_count,
                                                        "code.line.number");
    const char *name;

    if (span->kind != 1 || !file || file->type != TT_OTEL_STRING)
        return;
    name = strrchr(file->value.string, '/');
    tt_text_puts(tree->out, failed ? "  " : "    ");
    put_painted(tree, DIM, name ? name + 1 : file->value.string, MESSAGE_MAX);
    if (line && line->type == TT_OTEL_INT)
        tt_text_printf(tree->out, ":%lld", (long long)line->value.integer);
}

static void put_span(struct tree *tree, const struct node *node)
{
    const struct tt_otel_span *span = node->span;
    const char *error = error_of(span);

    put_label(tree, node, error != NULL);
    tt_text_puts(tree->out, "  ");
    put_safe(tree, device_of(span), MESSAGE_MAX);
    pad(tree, width(tree, device_of(span)), tree->device_width);
    tt_text_puts(tree->out, "  ");
    put_duration(tree, 8, span->start, span->end);
    if (error) {
        tt_text_puts(tree->out, " ");
        put_painted(tree, RED, glyphs(tree)->error, 1);
    }
    if (shows_process(node)) {
        tt_text_puts(tree->out, error ? "  " : "    ");
        put_process(tree, span->resource);
    }
    put_code(tree, span, error != NULL);
    tt_text_puts(tree->out, "\n");
    if (error && !shown_below(node, error))
        put_note(tree, node, RED, glyphs(tree)->error, error);
    put_incomplete(tree, node);
    put_ledger(tree, node);
    put_links(tree, node);
    put_logs(tree, node);
}

static void put_header(struct tree *tree)
{
    const struct tt_otel_span *root = tree->roots.child->span;
    uint64_t start = root->start, end = root->end;
    time_t seconds;
    char clock[16];
    struct tm tm;

    for (size_t i = 0; i < tree->count; i++) {
        start = tree->nodes[i].span->start < start ? tree->nodes[i].span->start : start;
        end = tree->nodes[i].span->end > end ? tree->nodes[i].span->end : end;
    }
    seconds = (time_t)(start / 1000000000);
    localtime_r(&seconds, &tm);
    strftime(clock, sizeof(clock), "%H:%M:%S", &tm);
    paint_on(tree, DIM);
    tt_text_printf(tree->out, "%s.%06" PRIu64 "  %02x%02x%02x%02x", clock, start / 1000 % 1000000,
                   root->trace_id[0], root->trace_id[1], root->trace_id[2], root->trace_id[3]);
    paint_off(tree, DIM);
    tt_text_puts(tree->out, " "); /* also where the time fills its columns */
    put_duration(tree, 7, start, end);
    tt_text_puts(tree->out, "  ");
    put_painted(tree, BOLD, title_of(root), MESSAGE_MAX);
    tt_text_puts(tree->out, "  ");
    put_process(tree, root->resource);
    tt_text_puts(tree->out, "\n");
}

static void put_tree(struct tree *tree, size_t hidden)
{
    size_t lines = 0;

    if (!tree->roots.child)
        return;
    put_header(tree);
    for (struct node *node = tree->roots.child; node && lines < LINES_MAX;
         node = next_in_order(tree, node), lines++)
        put_span(tree, node);
    hidden += tree->count - lines;
    if (hidden)
        tt_text_printf(tree->out, "%s%s %zu more spans\n", glyphs(tree)->gap, glyphs(tree)->dots, hidden);
}

void tt_console_tree(struct tt_text *out, struct tt_otel_span *const *spans, size_t count, size_t hidden,
                     struct tt_otel_log *const *logs, size_t log_count, const struct tt_console_style *style)
{
    _cleanup_free_ struct node *nodes = calloc(count, sizeof(*nodes));
    _cleanup_free_ struct node **ids = calloc(count, sizeof(*ids));
    struct tree tree = {.nodes = nodes,
                        .by_id = ids,
                        .count = count,
                        .logs = logs,
                        .log_count = log_count,
                        .style = style,
                        .out = out};

    if (!nodes || !ids) {
        out->failed = true;
        return;
    }
    for (size_t i = 0; i < count; i++)
        nodes[i].span = spans[i];
    qsort(nodes, count, sizeof(*nodes), by_start);
    for (size_t i = 0; i < count; i++)
        ids[i] = &nodes[i];
    qsort(ids, count, sizeof(*ids), by_id);
    link_nodes(&tree);
    measure(&tree);
    put_tree(&tree, hidden);
}
