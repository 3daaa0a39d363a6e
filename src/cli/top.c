/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * top.c: `tangotrace top`: the busiest devices, clients or operations. The agent tells what it counted since
 * its start; the difference of two answers is what is shown. `clients DEVICE`: who asks that device.
 */
#include <errno.h>
#include <json-c/json.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "cli/commands.h"
#include "cli/grid.h"
#include "cli/reply.h"
#include "control/control.h"
#include "metrics/usage.h"

#define BUCKETS_MAX 128

/* ---- the agent's answers ---- */

/* NULL, logged: it cannot be asked, or refuses. */
static struct json_object *ask(const struct tt_options *options, const char *what, const char *argument,
                               const char *member)
{
    _cleanup_free_ char *request = tt_format("%s %s", what, argument), *reply = NULL, *error = NULL;
    struct json_object *root;
    size_t size;
    int err = request ? tt_control_ask(options->control, request, &reply, &size, &error) : -ENOMEM;

    if (err) {
        tt_error("%s", error ? error : strerror(-err));
        return NULL;
    }
    root = tt_reply_parse(reply);
    if (!root || json_object_is_type(tt_reply_member(root, member), json_type_array) || tt_reply_strange())
        return root;
    json_object_put(root);
    return NULL;
}

static uint64_t count_at(struct json_object *object, const char *key)
{
    return json_object_get_uint64(tt_reply_member(object, key));
}

/* ---- what changed between two of them ---- */

struct line {
    const char *name, *class_name; /* the newer answer's */
    uint64_t calls, open;
    double rate, errors, p50, p99; /* per second; per second; s */
};

struct lines {
    struct line *items;
    size_t count;
    double seconds;
};

static size_t read_counts(struct json_object *array, uint64_t counts[BUCKETS_MAX])
{
    size_t count = json_object_is_type(array, json_type_array) ? json_object_array_length(array) : 0;

    for (size_t i = 0; i < count && i < BUCKETS_MAX; i++)
        counts[i] = json_object_get_uint64(json_object_array_get_idx(array, i));
    return count < BUCKETS_MAX ? count : BUCKETS_MAX;
}

/* `before` may be NULL: the row is new. An entry that made room and came again has begun anew. */
static struct line compare(struct json_object *row, struct json_object *before, const uint64_t *bounds,
                           double seconds)
{
    uint64_t now[BUCKETS_MAX] = {0}, old[BUCKETS_MAX] = {0};
    struct line line = {.name = tt_reply_text(row, "name"),
                        .class_name = tt_reply_text(row, "class"),
                        .calls = count_at(row, "calls"),
                        .open = count_at(row, "open")};
    size_t buckets = read_counts(tt_reply_member(row, "buckets"), now);

    if (before && count_at(before, "calls") <= line.calls)
        read_counts(tt_reply_member(before, "buckets"), old);
    else
        before = NULL;
    for (size_t i = 0; i < buckets; i++)
        now[i] -= old[i] < now[i] ? old[i] : now[i];
    line.rate = (double)(line.calls - (before ? count_at(before, "calls") : 0)) / seconds;
    line.errors = (double)(count_at(row, "errors") - (before ? count_at(before, "errors") : 0)) / seconds;
    if (buckets >= 2) {
        line.p50 = tt_usage_quantile(now, bounds, buckets, 0.5) / 1e9;
        line.p99 = tt_usage_quantile(now, bounds, buckets, 0.99) / 1e9;
    }
    return line;
}

/* Both answers are ordered by name. Rows without a call in between are left out. */
static int compare_all(struct json_object *now, struct json_object *before, struct lines *lines)
{
    struct json_object *rows = tt_reply_member(now, "rows"), *old = tt_reply_member(before, "rows");
    size_t count = json_object_array_length(rows), olds = json_object_array_length(old), at = 0;
    double seconds = json_object_get_double(tt_reply_member(now, "time")) -
                     json_object_get_double(tt_reply_member(before, "time"));
    uint64_t bounds[BUCKETS_MAX] = {0};

    read_counts(tt_reply_member(now, "bounds_ns"), bounds);
    *lines = (struct lines){.items = calloc(count + 1, sizeof(*lines->items)), .seconds = seconds};
    if (!lines->items)
        return -ENOMEM;
    for (size_t i = 0; i < count && seconds > 0; i++) {
        struct json_object *row = json_object_array_get_idx(rows, i), *same = NULL;
        int order = -1;

        while (at < olds && (order = strcmp(tt_reply_text(json_object_array_get_idx(old, at), "name"),
                                            tt_reply_text(row, "name"))) < 0)
            at++;
        if (at < olds && !order)
            same = json_object_array_get_idx(old, at);
        lines->items[lines->count] = compare(row, same, bounds, seconds);
        lines->count += lines->items[lines->count].rate > 0 || lines->items[lines->count].open;
    }
    return 0;
}

/* ---- order: as --sort names it ---- */

static double key_of(const struct line *line, enum tt_sort sort)
{
    switch (sort) {
    case TT_SORT_RATE:
        return line->rate;
    case TT_SORT_P50:
        return line->p50;
    case TT_SORT_P99:
        return line->p99;
    case TT_SORT_ERRORS:
        return line->errors;
    case TT_SORT_OPEN:
        return (double)line->open;
    default:
        return 0; /* by name */
    }
}

static int in_order(const void *a, const void *b, void *context)
{
    const struct line *x = a, *y = b;
    double left = key_of(x, *(enum tt_sort *)context), right = key_of(y, *(enum tt_sort *)context);

    return left > right ? -1 : left < right ? 1 : strcmp(x->name, y->name);
}

/* ---- showing ---- */

enum { NAME, CLASS, RATE, P50, P99, ERRORS, OPEN, CALLS, COLUMNS };
static const char *const titles[TT_USAGE_VIEWS][COLUMNS] = {
    {"DEVICE", "CLASS", "CALLS/s", "p50 ms", "p99 ms", "ERRORS/s", "OPEN", "CALLS"},
    {"CLIENT", "", "CALLS/s", "p50 ms", "p99 ms", "ERRORS/s", "OPEN", "CALLS"},
    {"OPERATION", "", "CALLS/s", "p50 ms", "p99 ms", "ERRORS/s", "OPEN", "CALLS"},
};

static void put_ms(struct tt_text *cell, double seconds)
{
    if (seconds > 0)
        tt_text_printf(cell, "%.3f", seconds * 1e3);
    else
        tt_text_puts(cell, "-");
}

static int print_lines(const struct lines *lines, enum tt_usage_view view, size_t rows, int width,
                       struct tt_text *out)
{
    _cleanup_(tt_grid_free) struct tt_grid grid = {
        .titles = titles[view], .columns = COLUMNS, .right = ~(1u << NAME | 1u << CLASS)};

    for (size_t i = 0; i < lines->count && i < rows; i++) {
        const struct line *line = &lines->items[i];
        struct tt_text *row = tt_grid_row(&grid);

        if (!row)
            return -ENOMEM;
        tt_text_safe(&row[NAME], *line->name ? line->name : "?");
        tt_text_safe(&row[CLASS], line->class_name);
        tt_text_printf(&row[RATE], "%.1f", line->rate);
        put_ms(&row[P50], line->p50);
        put_ms(&row[P99], line->p99);
        tt_text_printf(&row[ERRORS], "%.1f", line->errors);
        tt_text_printf(&row[OPEN], "%llu", (unsigned long long)line->open);
        tt_text_printf(&row[CALLS], "%llu", (unsigned long long)line->calls);
    }
    tt_grid_print(&grid, COLUMNS, rows, width, out);
    if (!lines->count)
        tt_text_printf(out, "no calls within %.1f s\n", lines->seconds);
    return 0;
}

static void print_json(const struct lines *lines, enum tt_usage_view view)
{
    _cleanup_(tt_json_free) struct tt_json json = {0};

    tt_json_object(&json, NULL);
    tt_json_string(&json, "view", tt_usage_views[view]);
    tt_json_double(&json, "seconds", lines->seconds);
    tt_json_array(&json, "rows");
    for (size_t i = 0; i < lines->count; i++) {
        const struct line *line = &lines->items[i];

        tt_json_object(&json, NULL);
        tt_json_string(&json, "name", line->name);
        if (view == TT_USAGE_DEVICES)
            tt_json_string(&json, "class", *line->class_name ? line->class_name : NULL);
        tt_json_double(&json, "rate", line->rate);
        tt_json_double(&json, "p50_seconds", line->p50);
        tt_json_double(&json, "p99_seconds", line->p99);
        tt_json_double(&json, "errors_rate", line->errors);
        tt_json_uint(&json, "open", line->open);
        tt_json_uint(&json, "calls", line->calls);
        tt_json_object_end(&json);
    }
    tt_json_array_end(&json);
    tt_json_object_end(&json);
    if (!json.failed)
        puts(json.data);
}

/* ---- the screen ---- */

static volatile sig_atomic_t interrupted;

static void on_interrupt(int number)
{
    interrupted = 1;
}

struct screen {
    bool live; /* a terminal, to be refreshed; keys are read */
    struct termios before;
    enum tt_usage_view view;
    enum tt_sort sort;
    bool switched; /* another view: what was asked before is of no use */
};

static void open_screen(struct screen *screen)
{
    const struct sigaction action = {.sa_handler = on_interrupt};
    struct termios raw;

    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    if (!screen->live || tcgetattr(STDIN_FILENO, &screen->before))
        return;
    raw = screen->before;
    raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
    tcsetattr(STDIN_FILENO, TCSANOW, &raw);
}

static void close_screen(const struct screen *screen)
{
    if (screen->live)
        tcsetattr(STDIN_FILENO, TCSANOW, &screen->before);
}

static void read_key(struct screen *screen)
{
    static const char views[TT_USAGE_VIEWS] = {'d', 'c', 'o'};
    char key;

    if (read(STDIN_FILENO, &key, 1) != 1 || key == 'q') {
        interrupted = 1;
        return;
    }
    if (key == 's')
        screen->sort = (screen->sort + 1) % TT_SORTS;
    for (int i = 0; i < TT_USAGE_VIEWS; i++) {
        if (key != views[i])
            continue;
        screen->switched |= screen->view != (enum tt_usage_view)i;
        screen->view = (enum tt_usage_view)i;
    }
}

/* Until the time is over, or a key changes what is shown. */
static void wait_until(struct screen *screen, uint64_t until)
{
    enum tt_sort sort = screen->sort;

    while (!interrupted && !screen->switched && screen->sort == sort) {
        struct pollfd keys = {.fd = screen->live ? STDIN_FILENO : -1, .events = POLLIN};
        uint64_t now = tt_now_ns();

        if (now >= until)
            return;
        if (poll(&keys, 1, (int)((until - now + TT_NS_PER_MS - 1) / TT_NS_PER_MS)) > 0)
            read_key(screen);
    }
}

static const char *const sorts[TT_SORTS] = {"rate", "p50", "p99", "errors", "open", "name"};

static int show(const struct tt_options *options, struct screen *screen, struct json_object *now,
                struct json_object *before)
{
    _cleanup_(tt_text_free) struct tt_text out = {0};
    struct winsize size = {.ws_row = 24, .ws_col = 80};
    struct lines lines;
    int err = compare_all(now, before, &lines);

    if (err)
        return err;
    qsort_r(lines.items, lines.count, sizeof(*lines.items), in_order, &screen->sort);
    if (options->json) {
        print_json(&lines, screen->view);
    } else {
        if (screen->live) {
            ioctl(STDOUT_FILENO, TIOCGWINSZ, &size);
            tt_text_printf(&out,
                           "\033[H\033[J%s by %s, last %.1f s    d c o: devices, clients, operations; s: "
                           "order; q: end\n\n",
                           tt_usage_views[screen->view], sorts[screen->sort], lines.seconds);
        }
        err = print_lines(&lines, screen->view,
                          !screen->live      ? SIZE_MAX
                          : size.ws_row > 6u ? size.ws_row - 4u
                                             : 2u,
                          screen->live ? size.ws_col : 0, &out);
        if (out.data && !out.failed)
            fputs(out.data, stdout);
    }
    free(lines.items);
    return err ? err : fflush(stdout) ? -errno : 0;
}

/* Asks, waits, asks again and shows what came in between. */
static int refresh(const struct tt_options *options, struct screen *screen)
{
    unsigned left = options->refreshes ? options->refreshes : screen->live ? 0 : 1;
    struct json_object *before = NULL, *now = NULL;
    int code = TT_EXIT_OK;

    while (!interrupted) {
        uint64_t next = tt_now_ns() + options->refresh * TT_NS_PER_MS;

        if (screen->switched)
            next = tt_now_ns() + TT_NS_PER_S / 2;
        if (screen->switched || !before) {
            json_object_put(before);
            before = ask(options, "top", tt_usage_views[screen->view], "rows");
            screen->switched = false;
        }
        if (!before)
            code = TT_EXIT_FAILURE;
        else
            wait_until(screen, next);
        if (!before || interrupted)
            break;
        if (screen->switched)
            continue;
        now = ask(options, "top", tt_usage_views[screen->view], "rows");
        if (!now || show(options, screen, now, before)) {
            code = TT_EXIT_FAILURE;
            break;
        }
        json_object_put(before);
        before = TAKE_PTR(now);
        if (left && !--left)
            break;
    }
    json_object_put(before);
    json_object_put(now);
    return code;
}

int tt_cmd_top(const struct tt_options *options)
{
    struct screen screen = {.live = !options->json && !options->refreshes && isatty(STDIN_FILENO) &&
                                    isatty(STDOUT_FILENO),
                            .sort = options->sort};
    const char *view = options->arguments[0];
    int code;

    while (view && screen.view < TT_USAGE_VIEWS && strcmp(view, tt_usage_views[screen.view]) != 0)
        screen.view++;
    if (screen.view == TT_USAGE_VIEWS)
        return tt_err(TT_EXIT_USAGE, "\"%s\" is none of: devices, clients, operations", view);
    open_screen(&screen);
    code = refresh(options, &screen);
    close_screen(&screen);
    return code;
}

/* ---- clients ---- */

enum { C_DEVICE, C_CLIENT, C_OPERATION, C_RATE, C_CALLS, C_ERRORS, C_P50, C_P99, C_LAST, C_COLUMNS };
static const char *const client_titles[C_COLUMNS] = {"DEVICE", "CLIENT", "OPERATION", "CALLS/s", "CALLS",
                                                     "ERRORS", "p50 ms", "p99 ms",    "LAST"};

static int print_clients(struct json_object *list, const char *device)
{
    _cleanup_(tt_grid_free) struct tt_grid grid = {
        .titles = client_titles,
        .columns = C_COLUMNS,
        .right = ~(1u << C_DEVICE | 1u << C_CLIENT | 1u << C_OPERATION | 1u << C_LAST)};
    _cleanup_(tt_text_free) struct tt_text out = {0};

    for (size_t i = 0; i < json_object_array_length(list); i++) {
        struct json_object *one = json_object_array_get_idx(list, i);
        struct tt_text *row = tt_grid_row(&grid);

        if (!row)
            return TT_EXIT_FAILURE;
        tt_text_safe(&row[C_DEVICE], tt_reply_text(one, "device"));
        tt_text_safe(&row[C_CLIENT], tt_reply_text(one, "client"));
        tt_text_safe(&row[C_OPERATION], tt_reply_text(one, "operation"));
        tt_text_printf(&row[C_RATE], "%.2f", json_object_get_double(tt_reply_member(one, "rate")));
        tt_text_printf(&row[C_CALLS], "%llu", (unsigned long long)count_at(one, "calls"));
        tt_text_printf(&row[C_ERRORS], "%llu", (unsigned long long)count_at(one, "errors"));
        put_ms(&row[C_P50], json_object_get_double(tt_reply_member(one, "p50_seconds")));
        put_ms(&row[C_P99], json_object_get_double(tt_reply_member(one, "p99_seconds")));
        tt_text_printf(&row[C_LAST], "%.0f s ago",
                       json_object_get_double(tt_reply_member(one, "last_seconds")));
    }
    tt_grid_print(&grid, C_COLUMNS, SIZE_MAX, 0, &out);
    if (!grid.rows) {
        tt_text_puts(&out, "nobody was seen asking ");
        tt_text_safe(&out, device);
        tt_text_puts(&out, " since the agent began\n");
    }
    if (out.failed)
        return TT_EXIT_FAILURE;
    fputs(out.data, stdout);
    return TT_EXIT_OK;
}

int tt_cmd_clients(const struct tt_options *options)
{
    const char *device = options->arguments[0];
    struct json_object *root;
    int code = TT_EXIT_OK;

    if (!device)
        return tt_err(TT_EXIT_USAGE, "which device? usage: tangotrace clients DEVICE");
    root = ask(options, "clients", device, "clients");
    if (!root)
        return TT_EXIT_FAILURE;
    if (options->json)
        puts(json_object_to_json_string_ext(root, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
    else
        code = print_clients(tt_reply_member(root, "clients"), device);
    json_object_put(root);
    return code;
}
