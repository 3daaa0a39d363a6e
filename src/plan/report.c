/* SPDX-License-Identifier: GPL-2.0-only */
/* report.c: a plan as text and as JSON. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "plan/captures.h"
#include "plan/insn.h"
#include "plan/plan.h"

static const char *const library_names[TT_LIBRARIES] = {
    [TT_LIBRARY_TANGO] = "cppTango",          [TT_LIBRARY_OMNIORB] = "omniORB",
    [TT_LIBRARY_CXXABI] = "C++ runtime",      [TT_LIBRARY_GREENLET] = "greenlet",
    [TT_LIBRARY_DYNAMIC] = "omniORB dynamic", [TT_LIBRARY_PYTHON] = "Python",
    [TT_LIBRARY_PYTANGO] = "PyTango",
};

static const char *kind_name(unsigned kind)
{
    static const char *const names[] = {
        [TT_POINT_ENTER] = "enter",     [TT_POINT_EXIT] = "exit",     [TT_POINT_CATCH] = "catch",
        [TT_POINT_REQUEST] = "request", [TT_POINT_UPCALL] = "upcall", [TT_POINT_SWITCH] = "switch",
    };

    return kind < TT_ARRAY_SIZE(names) && names[kind] ? names[kind] : "?";
}

static const char *role_name(enum tt_role role)
{
    static const char *const names[] = {
        [TT_ROLE_CLIENT] = "client",       [TT_ROLE_MANY] = "many",       [TT_ROLE_SERVER] = "server",
        [TT_ROLE_REQUEST] = "request",     [TT_ROLE_UPCALL] = "upcall",   [TT_ROLE_CATCH] = "catch",
        [TT_ROLE_ASYNCH] = "asynchronous", [TT_ROLE_SUBMIT] = "submit",   [TT_ROLE_REFUSED] = "refused",
        [TT_ROLE_WORKER] = "worker",       [TT_ROLE_REPLY] = "reply",     [TT_ROLE_METHOD] = "method",
        [TT_ROLE_CALLER] = "caller",       [TT_ROLE_SWITCH] = "switch",   [TT_ROLE_LOG] = "log",
        [TT_ROLE_POLL] = "poll",           [TT_ROLE_PUSH] = "push",       [TT_ROLE_TOPIC] = "topic",
        [TT_ROLE_COUNTER] = "counter",     [TT_ROLE_RECEIVE] = "receive", [TT_ROLE_LIFE] = "life",
        [TT_ROLE_WAIT] = "wait",           [TT_ROLE_BIRTH] = "birth",     [TT_ROLE_BEAT] = "heartbeat",
    };

    return names[role];
}

static const char *capture_kind_name(unsigned kind)
{
    static const char *const names[] = {
        [TT_CAPTURE_VALUE] = "value",
        [TT_CAPTURE_PY_RESULT] = "PyObject*",
        [TT_CAPTURE_U32] = "u32",
        [TT_CAPTURE_U64] = "u64",
        [TT_CAPTURE_U64_IF] = "u64 if there is one",
        [TT_CAPTURE_CSTRING] = "char*",
        [TT_CAPTURE_STRING] = "std::string",
        [TT_CAPTURE_STRING_COW] = "std::string (old)",
        [TT_CAPTURE_STRING_SEQ] = "string sequence",
        [TT_CAPTURE_STRING_VEC] = "vector<string>",
        [TT_CAPTURE_STRING_VEC_COW] = "vector<string> (old)",
        [TT_CAPTURE_NAMED_SEQ] = "sequence of named",
        [TT_CAPTURE_NAMED_VEC] = "vector of named",
        [TT_CAPTURE_CLNT_IDENT] = "ClntIdent",
        [TT_CAPTURE_ATTR_ERRORS_SEQ] = "errors in sequence",
        [TT_CAPTURE_ATTR_ERRORS_VEC] = "errors in vector",
        [TT_CAPTURE_ATTR_ERRORS_ONE] = "errors of one",
        [TT_CAPTURE_NAMED_VEC_COW] = "vector of named (old)",
        [TT_CAPTURE_ATTR_ERRORS_VEC_COW] = "errors in vector (old)",
        [TT_CAPTURE_STRING_LONG] = "long std::string",
        [TT_CAPTURE_STRING_LONG_COW] = "long std::string (old)",
    };

    return kind < TT_ARRAY_SIZE(names) && names[kind] ? names[kind] : "?";
}

/* "rdi", "[rsi+0x88]+8": where a captured object lies. */
static void capture_place(const struct tt_capture *capture, char *text, size_t size)
{
    char inner[64], outer[64];

    snprintf(inner, sizeof(inner), "%s", tt_insn_reg_name(capture->reg));
    for (unsigned i = 0; i <= capture->derefs && i < 3; i++) {
        if (i) {
            snprintf(outer, sizeof(outer), "[%.60s]", inner);
            memcpy(inner, outer, sizeof(inner));
        }
        if (capture->off[i]) {
            snprintf(outer, sizeof(outer), "%.48s%+d", inner, capture->off[i]);
            memcpy(inner, outer, sizeof(inner));
        }
    }
    snprintf(text, size, "%s", inner);
}

/* ---- totals --------------------------------------------------------------------------------------- */

static bool has_exit(const struct tt_plan *plan, const struct tt_plan_function *function)
{
    for (uint32_t i = 0; i < function->count; i++)
        if (plan->points[function->first + i].point.kind == TT_POINT_EXIT)
            return true;
    return false;
}

unsigned tt_plan_traps(const struct tt_plan *plan, enum tt_usual usual, enum tt_detail detail)
{
    unsigned traps = 0;

    for (size_t i = 0; i < plan->function_count; i++) {
        const struct tt_plan_function *function = &plan->functions[i];
        const struct tt_row *row = tt_plan_row(plan, function->row);

        /* of the signatures of one row a call passes one */
        if (i && plan->functions[i - 1].row == function->row && plan->functions[i - 1].count)
            continue;
        if (function->count && row->detail <= detail)
            traps += row->usual[usual] * (1u + has_exit(plan, function));
    }
    return traps;
}

static const char *const usual_names[TT_USUALS] = {
    [TT_USUAL_READ] = "read",
    [TT_USUAL_COMMAND] = "command",
};

static size_t points_at(const struct tt_plan *plan, enum tt_detail detail)
{
    size_t count = 0;

    for (size_t i = 0; i < plan->point_count; i++)
        count += plan->points[i].point.detail <= detail;
    return count;
}

/* Functions of device classes or of the user's choice, of which a call may pass none or many. */
static bool has_methods(const struct tt_plan *plan, enum tt_detail detail)
{
    for (size_t i = 0; i < plan->function_count; i++) {
        const struct tt_row *row = tt_plan_row(plan, plan->functions[i].row);

        if (plan->functions[i].count && row->role == TT_ROLE_METHOD && row->detail <= detail)
            return true;
    }
    return false;
}

static void print_levels(const struct tt_plan *plan)
{
    for (enum tt_detail level = 0; level < TT_DETAILS; level++) {
        printf("at %-8s %zu points", tt_detail_names[level], points_at(plan, level));
        for (enum tt_usual usual = 0; usual < TT_USUALS; usual++)
            printf("%s %u traps in a %s", usual ? "," : ";", tt_plan_traps(plan, usual, level),
                   usual_names[usual]);
        printf("%s\n", has_methods(plan, level) ? ", and at least 2 for each method that runs" : "");
    }
}

static void levels_to_json(const struct tt_plan *plan, struct tt_json *json)
{
    tt_json_object(json, "levels");
    for (enum tt_detail level = 0; level < TT_DETAILS; level++) {
        tt_json_object(json, tt_detail_names[level]);
        tt_json_uint(json, "points", points_at(plan, level));
        for (enum tt_usual usual = 0; usual < TT_USUALS; usual++)
            tt_json_uint(json, usual_names[usual], tt_plan_traps(plan, usual, level));
        tt_json_object_end(json);
    }
    tt_json_object_end(json);
}

struct totals {
    size_t functions, covered, entry_only, uncovered, partly, points, stepped, calls;
};

static struct totals count(const struct tt_plan *plan)
{
    struct totals totals = {.functions = plan->function_count, .points = plan->point_count};

    for (size_t i = 0; i < plan->function_count; i++) {
        const struct tt_plan_function *function = &plan->functions[i];

        if (!function->count)
            totals.uncovered++;
        else if (function->entry_only)
            totals.entry_only++;
        else if (function->refused)
            totals.partly++;
        else
            totals.covered++;
    }
    for (size_t i = 0; i < plan->point_count; i++) {
        totals.stepped += !plan->points[i].emulated;
        totals.calls += plan->points[i].is_call;
    }
    return totals;
}

/* ---- text ----------------------------------------------------------------------------------------- */

static void print_point(const struct tt_plan_point *point)
{
    const struct tt_point *p = &point->point;
    char cfa[32], when[32] = "", rest[64];

    snprintf(cfa, sizeof(cfa), "%s%+d", tt_insn_reg_name(p->cfa_reg), p->cfa_off);
    if (p->condition == TT_COND_AGAIN)
        snprintf(when, sizeof(when), " in a loop");
    else if (p->condition < TT_COND_ALWAYS)
        snprintf(when, sizeof(when), " if %s", tt_insn_condition_name(p->condition));
    snprintf(rest, sizeof(rest), "%s%s", point->emulated ? "" : "  single-stepped", when);
    printf("    %-7s 0x%06" PRIx64 "  %-30s CFA %-*s%s\n", kind_name(p->kind), point->offset, point->text,
           *rest ? 8 : 0, cfa, rest);
    for (unsigned i = 0; i < p->captures; i++) {
        char place[64];

        capture_place(&p->capture[i], place, sizeof(place));
        printf("              %s: %s at %s\n", tt_capture_field_name(p->capture[i].field),
               capture_kind_name(p->capture[i].kind), place);
    }
}

static const char *state_of(const struct tt_plan_function *function)
{
    if (!function->count)
        return "not covered";
    if (function->entry_only)
        return "entry only";
    return function->refused ? "some exits missing" : NULL;
}

static void print_function(const struct tt_plan *plan, const struct tt_plan_function *function,
                           bool all_points)
{
    const char *state = state_of(function);

    if (!all_points && !state)
        return;
    const struct tt_row *row = tt_plan_row(plan, function->row);

    printf("%s  (%s%s%s, 0x%" PRIx64 ", %" PRIu64 " bytes)\n", function->signature, role_name(row->role),
           row->detail ? ", at " : "", row->detail ? tt_detail_names[row->detail] : "", function->address,
           function->size);
    if (state)
        printf("    %s: %s\n", state, function->refused);
    if (state && tt_plan_row(plan, function->row)->substitute)
        printf("    left to %s\n", tt_plan_row(plan, function->row)->substitute);
    if (function->note)
        printf("    note: %s\n", function->note);
    for (uint32_t i = 0; all_points && i < function->count; i++)
        print_point(&plan->points[function->first + i]);
}

static void print_head(const struct tt_plan *plan)
{
    printf("%s:", plan->path);
    for (size_t i = 0; i < TT_LIBRARIES; i++) {
        if (plan->library[i])
            printf(" %s", library_names[i]);
    }
    if (plan->version)
        printf(" %s", plan->version);
    printf("\nbuild id: ");
    for (size_t i = 0; i < plan->build_id_size; i++)
        printf("%02x", plan->build_id[i]);
    if (!plan->build_id_size)
        printf("none");
    if (plan->library[TT_LIBRARY_TANGO])
        printf("\nlayout: %s",
               plan->layout ? plan->layout->name : "not known: no fields of objects are captured");
    if (plan->library[TT_LIBRARY_OMNIORB])
        printf("\nlayout: %s", plan->omni ? plan->omni->name : "not known: no request keys");
    printf("\n\n");
}

void tt_plan_print(const struct tt_plan *plan, bool all_points)
{
    struct totals totals = count(plan);

    print_head(plan);
    for (size_t i = 0; i < plan->function_count; i++)
        print_function(plan, &plan->functions[i], all_points);
    printf("%s%zu function%s: %zu covered, %zu with some exits missing, %zu by entry only, %zu not covered\n",
           all_points || totals.covered < totals.functions ? "\n" : "", totals.functions,
           totals.functions == 1 ? "" : "s", totals.covered, totals.partly, totals.entry_only,
           totals.uncovered);
    printf(
        "%zu point%s: %zu emulated (about 0.5 us each), %zu single-stepped, %zu on a call; planned in %.0f ms\n",
        totals.points, totals.points == 1 ? "" : "s", totals.points - totals.stepped, totals.stepped,
        totals.calls, plan->seconds * 1e3);
    print_levels(plan);
}

/* ---- JSON ----------------------------------------------------------------------------------------- */

static void capture_to_json(const struct tt_capture *capture, struct tt_json *json)
{
    char place[64];

    capture_place(capture, place, sizeof(place));
    tt_json_object(json, NULL);
    tt_json_string(json, "field", tt_capture_field_name(capture->field));
    tt_json_string(json, "kind", capture_kind_name(capture->kind));
    tt_json_string(json, "at", place);
    tt_json_object_end(json);
}

static void point_to_json(const struct tt_plan_point *point, struct tt_json *json)
{
    const struct tt_point *p = &point->point;
    char cfa[32];

    snprintf(cfa, sizeof(cfa), "%s%+d", tt_insn_reg_name(p->cfa_reg), p->cfa_off);
    tt_json_object(json, NULL);
    tt_json_string(json, "kind", kind_name(p->kind));
    tt_json_uint(json, "offset", point->offset);
    tt_json_uint(json, "address", point->address);
    tt_json_hex(json, "bytes", point->bytes, point->length);
    tt_json_string(json, "instruction", point->text);
    tt_json_bool(json, "emulated", point->emulated);
    tt_json_bool(json, "call", point->is_call);
    tt_json_string(json, "cfa", cfa);
    tt_json_string(json, "condition", tt_insn_condition_name(p->condition));
    tt_json_bool(json, "in_loop", p->condition == TT_COND_AGAIN);
    tt_json_array(json, "captures");
    for (unsigned i = 0; i < p->captures; i++)
        capture_to_json(&p->capture[i], json);
    tt_json_array_end(json);
    tt_json_object_end(json);
}

static void function_to_json(const struct tt_plan *plan, const struct tt_plan_function *function,
                             struct tt_json *json)
{
    const struct tt_row *row = tt_plan_row(plan, function->row);

    tt_json_object(json, NULL);
    tt_json_string(json, "name", row->name);
    tt_json_string(json, "role", role_name(row->role));
    tt_json_string(json, "detail", tt_detail_names[row->detail]);
    tt_json_string(json, "symbol", function->symbol);
    tt_json_string(json, "signature", function->signature);
    tt_json_uint(json, "address", function->address);
    tt_json_uint(json, "size", function->size);
    tt_json_string(json, "refused", function->refused);
    tt_json_string(json, "note", function->note);
    tt_json_bool(json, "entry_only", function->entry_only);
    tt_json_bool(json, "seldom", row->seldom);
    tt_json_string(json, "substitute", row->substitute);
    tt_json_array(json, "points");
    for (uint32_t i = 0; i < function->count; i++)
        point_to_json(&plan->points[function->first + i], json);
    tt_json_array_end(json);
    tt_json_object_end(json);
}

void tt_plan_to_json(const struct tt_plan *plan, struct tt_json *json)
{
    struct totals totals = count(plan);

    tt_json_object(json, NULL);
    tt_json_string(json, "path", plan->path);
    tt_json_hex(json, "build_id", plan->build_id, plan->build_id_size);
    tt_json_string(json, "soname", plan->soname);
    tt_json_string(json, "version", plan->version);
    tt_json_array(json, "libraries");
    for (size_t i = 0; i < TT_LIBRARIES; i++) {
        if (plan->library[i])
            tt_json_string(json, NULL, library_names[i]);
    }
    tt_json_array_end(json);
    tt_json_string(json, "layout", plan->layout ? plan->layout->name : NULL);
    tt_json_string(json, "omniorb_layout", plan->omni ? plan->omni->name : NULL);
    tt_json_array(json, "functions");
    for (size_t i = 0; i < plan->function_count; i++)
        function_to_json(plan, &plan->functions[i], json);
    tt_json_array_end(json);
    tt_json_object(json, "totals");
    tt_json_uint(json, "functions", totals.functions);
    tt_json_uint(json, "covered", totals.covered);
    tt_json_uint(json, "some_exits_missing", totals.partly);
    tt_json_uint(json, "entry_only", totals.entry_only);
    tt_json_uint(json, "not_covered", totals.uncovered);
    tt_json_uint(json, "points", totals.points);
    tt_json_uint(json, "single_stepped", totals.stepped);
    tt_json_uint(json, "on_call", totals.calls);
    tt_json_double(json, "seconds", plan->seconds);
    tt_json_object_end(json);
    levels_to_json(plan, json);
    tt_json_object_end(json);
}
