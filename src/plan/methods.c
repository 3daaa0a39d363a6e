/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * methods.c: the functions of device classes in one file, planned. What lies in a slot is often no function
 * of its own: Pogo's attribute classes jump on to a method of the device, thunks adjust `this` and jump. Then
 * the function they lead to is planned, with the arguments where the jump leaves them. One function can lie
 * in many slots (it serves many attributes, or the linker found several to be the same); if these differ in
 * meaning it is left out.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "plan/classes.h"
#include "plan/demangle.h"
#include "plan/flow.h"
#include "plan/function.h"

#define HOPS_MAX    4     /* jumps from a slot to the function */
#define JUMP_MAX    12    /* instructions before such a jump */
#define METHODS_MAX 16384 /* of one file */

/* A slot of a user class, and the function it leads to. */
struct method {
    uint64_t address; /* of the function */
    uint32_t row, table;
    bool forwarded; /* by a jump from what lies in the slot */
    struct tt_origin arguments[TT_ARGUMENT_REGS];
    char why[96]; /* it cannot be planned; "" = it can */
};

struct scan {
    struct tt_elf *elf;
    const struct tt_bases *bases;
    struct tt_pointers pointers;
    struct tt_types types;
    struct tt_class_table *tables;
    size_t table_count;
    struct method *methods;
    size_t count, capacity;
};

/* ---- jumps ----------------------------------------------------------------------------------------- */

/* Where straight code that does nothing else jumps to. */
struct jump {
    uint64_t target; /* 0: to a virtual function .. */
    unsigned object; /* .. of the object in this argument register, at its very beginning .. */
    uint64_t slot;   /* .. this one */
    struct tt_values values;
};

static unsigned argument_of(unsigned reg)
{
    for (unsigned i = 0; i < TT_ARGUMENT_REGS; i++) {
        if (tt_insn_argument_reg(i) == reg)
            return i;
    }
    return TT_ARGUMENT_REGS;
}

/* Is the value the pointer to the virtual table of the object that an argument register held? */
static bool is_table_of(const struct tt_origin *origin, unsigned *object)
{
    if (origin->reg == TT_REG_NONE || origin->derefs != 1 || origin->off[0] || origin->off[1])
        return false;
    *object = argument_of(origin->reg);
    return *object < TT_ARGUMENT_REGS;
}

/* Follows straight code from `address` to a jump. False: it is anything else. */
static bool follow_jump(struct tt_elf *elf, uint64_t address, struct jump *jump)
{
    uint8_t slot_reg = TT_REG_NONE; /* holds the function in a slot of a virtual table */

    *jump = (struct jump){0};
    tt_values_start(&jump->values);
    for (unsigned i = 0; i < JUMP_MAX; i++) {
        uint64_t rest = tt_elf_rest(elf, address);
        const uint8_t *bytes = rest ? tt_elf_at(elf, address, rest < 16 ? rest : 16) : NULL;
        bool virtual_load;
        struct tt_insn insn;

        if (!bytes || tt_insn_decode(bytes, rest < 16 ? rest : 16, address, &insn) < 0)
            return false;
        virtual_load = insn.effect == TT_EFFECT_LOAD && insn.disp >= 0 && !(insn.disp & 7) && insn.src < 16 &&
                       is_table_of(&jump->values.reg[insn.src], &jump->object);
        if (virtual_load)
            jump->slot = (uint64_t)insn.disp / 8;
        if (insn.kind == TT_INSN_JMP) {
            jump->target = insn.target;
            return true;
        }
        if (insn.kind == TT_INSN_JMP_INDIRECT)
            return virtual_load || (insn.effect == TT_EFFECT_MOVE && insn.src == slot_reg);
        if (insn.kind != TT_INSN_OTHER || insn.stores || insn.effect == TT_EFFECT_PUSH)
            return false;
        if (slot_reg < 16 && (insn.writes & 1u << slot_reg))
            slot_reg = TT_REG_NONE;
        if (virtual_load && insn.dst < 16)
            slot_reg = insn.dst;
        else if (virtual_load)
            return false;
        tt_values_step(&jump->values, &insn);
        address += insn.length;
    }
    return false;
}

/* Where, behind the jump, the arguments lie that `from` tells before it. */
static void move_arguments(const struct jump *jump, struct tt_origin arguments[TT_ARGUMENT_REGS])
{
    for (unsigned i = 0; i < TT_ARGUMENT_REGS; i++) {
        struct tt_origin before = arguments[i], after = {.reg = TT_REG_NONE};

        for (unsigned j = 0; j < TT_ARGUMENT_REGS && before.reg != TT_REG_NONE; j++) {
            uint8_t reg = (uint8_t)tt_insn_argument_reg(j);
            const struct tt_origin *value = &jump->values.reg[reg];

            if (value->reg != before.reg || value->derefs || after.reg != TT_REG_NONE)
                continue;
            /* the register holds what the argument's did plus off: the argument is that much before it */
            after = (struct tt_origin){.reg = reg, .off = {before.off[0] - value->off[0], 0}};
        }
        arguments[i] = after;
    }
}

/* Length of the scope in a mangled class name: "N12TangoTest_ns" of "N12TangoTest_ns19double_scalarAttribE".
 * 0: it is in no scope; -1: the name is of a kind whose scope is not looked for (templates, ..). */
static int scope_length(const char *name)
{
    const char *at = name + (*name == 'N'), *last = at;

    while (*at >= '1' && *at <= '9') {
        char *end;
        unsigned long length = strtoul(at, &end, 10);

        if (length > 1000 || strnlen(end, length) < length)
            return -1;
        last = at;
        at = end + length;
    }
    if (strcmp(at, *name == 'N' ? "E" : ""))
        return -1;
    return (int)(last - name);
}

static bool same_scope(const char *a, const char *b)
{
    int length = scope_length(a);

    return length >= 0 && length == scope_length(b) && !strncmp(a, b, (size_t)length);
}

static const char *type_name(const struct scan *scan, uint32_t table)
{
    return scan->types.array[scan->tables[table].type].name;
}

/* May the class of that table be the one whose method a class at `from` calls by a slot? It has such a slot,
 * beyond those of cppTango, and lies in the same scope. */
static bool has_slot(const struct scan *scan, uint32_t from, uint32_t table, uint64_t slot)
{
    const struct tt_class_table *t = &scan->tables[table];

    if (t->offset || slot < t->base->slot_count ||
        strcmp(scan->bases->array[t->base->root].name, "N5Tango10DeviceImplE") ||
        !same_scope(type_name(scan, from), type_name(scan, table)))
        return false;
    for (uint64_t i = t->base->slot_count; i <= slot; i++) {
        if (!tt_class_filled(&scan->pointers, t->address, i))
            return false;
    }
    return true;
}

/* The one among those classes that all others derive from, if there is one; else -1. */
static int64_t common_class(const struct scan *scan, uint32_t from, uint64_t slot)
{
    for (uint32_t i = 0; i < scan->table_count; i++) {
        bool all = has_slot(scan, from, i, slot);

        for (uint32_t j = 0; all && j < scan->table_count; j++)
            all = !has_slot(scan, from, j, slot) ||
                  tt_type_derives(&scan->types, scan->tables[j].type, scan->tables[i].type);
        if (all)
            return i;
    }
    return -1;
}

/* ---- methods --------------------------------------------------------------------------------------- */

static int add_method(struct scan *scan, const struct method *method)
{
    if (scan->count == METHODS_MAX)
        return -E2BIG;
    if (scan->count == scan->capacity) {
        size_t capacity = scan->capacity ? scan->capacity * 2 : 256;
        struct method *methods = reallocarray(scan->methods, capacity, sizeof(*methods));

        if (!methods)
            return -ENOMEM;
        scan->methods = methods;
        scan->capacity = capacity;
    }
    scan->methods[scan->count++] = *method;
    return 0;
}

static int add_refused(struct scan *scan, struct method *method, const char *why)
{
    snprintf(method->why, sizeof(method->why), "%s", why);
    return add_method(scan, method);
}

/* Argument of the row that is the device. */
static unsigned device_of(const struct tt_row *row)
{
    for (unsigned i = 0; i < TT_ROW_ARGUMENTS && row->argument[i].field != TT_FIELD_NONE; i++) {
        if (row->argument[i].value == TT_VALUE_IMPL_NAME)
            return (unsigned)row->argument[i].index;
    }
    return TT_ARGUMENT_REGS;
}

static int add_function(struct scan *scan, struct method *method, unsigned hops);

/* A jump into a slot of the device's own virtual table: the functions there, one for each class it can be. */
static int add_virtual(struct scan *scan, struct method *method, const struct jump *jump, unsigned hops)
{
    unsigned device = device_of(&tt_rows[method->row]);
    int64_t common = -1;
    int r = 0;

    if (device && jump->object == device && !hops)
        common = common_class(scan, method->table, jump->slot);
    if (common < 0)
        return add_refused(scan, method, "jumps to a virtual function; of which class is not known");
    move_arguments(jump, method->arguments);
    method->forwarded = true;
    for (uint32_t i = 0; r == 0 && i < scan->table_count; i++) {
        struct method next = *method;

        if (!has_slot(scan, method->table, i, jump->slot))
            continue;
        next.address = tt_class_slot(&scan->pointers, scan->tables[i].address, jump->slot);
        if (next.address)
            r = add_function(scan, &next, hops + 1);
    }
    return r;
}

/* Is it a jump to a method of the device, with what the row's function got behind `this`? */
static bool is_shift(const struct method *method, const struct jump *jump)
{
    unsigned device = device_of(&tt_rows[method->row]);
    const struct tt_origin *first = &jump->values.reg[tt_insn_argument_reg(0)];

    return device == 1 && first->reg == tt_insn_argument_reg(1) && !first->derefs && !first->off[0];
}

/* Does it do no more than adjust `this` from the part of the object that the table is of? */
static bool is_adjustment(const struct scan *scan, const struct method *method, const struct jump *jump)
{
    const struct tt_origin *first = &jump->values.reg[tt_insn_argument_reg(0)];
    int64_t offset = scan->tables[method->table].offset;

    return offset && first->reg == tt_insn_argument_reg(0) && !first->derefs && first->off[0] == -offset;
}

static int add_direct(struct scan *scan, struct method *method, const struct jump *jump, unsigned hops)
{
    struct tt_fde fde;

    if (tt_flow_plt_name(scan->elf, jump->target))
        return add_refused(scan, method, "only jumps to a function of another file");
    if (!is_shift(method, jump) && !is_adjustment(scan, method, jump))
        return add_refused(scan, method, "only jumps to a function that others may call, too");
    if (tt_cfi_find(scan->elf, jump->target, &fde) < 0 || fde.begin != jump->target)
        return add_refused(scan, method, "only jumps to what is not known to be a function");
    move_arguments(jump, method->arguments);
    method->forwarded |= is_shift(method, jump);
    method->address = jump->target;
    return add_function(scan, method, hops + 1);
}

/* From what lies in the slot to the function that does the work. */
static int add_function(struct scan *scan, struct method *method, unsigned hops)
{
    struct jump jump;

    if (!follow_jump(scan->elf, method->address, &jump))
        return add_method(scan, method);
    if (hops == HOPS_MAX)
        return add_refused(scan, method, "jumps on too often");
    return jump.target ? add_direct(scan, method, &jump, hops) : add_virtual(scan, method, &jump, hops);
}

/* cppTango's own inline functions lie in every file that uses them. Its templates are the user's: commands
 * made of a function (TemplCommandInOut<..>). */
static bool is_tango(const struct tt_elf *elf, uint64_t address)
{
    const struct tt_elf_symbol *symbol = tt_elf_symbol_at(elf, address);
    _cleanup_free_ char *function = NULL;

    if (!symbol ||
        (strncmp(symbol->name, "_ZN5Tango", 9) != 0 && strncmp(symbol->name, "_ZNK5Tango", 10) != 0))
        return false;
    function = tt_demangle(symbol->name);
    return !function || strcspn(function, "<") > strcspn(function, "(");
}

static int add_slots(struct scan *scan, uint32_t table)
{
    const struct tt_class_table *t = &scan->tables[table];
    int r = 0;

    for (size_t i = 0; r == 0 && i < t->base->slot_count; i++) {
        struct method method = {.row = t->base->slots[i].row, .table = table};

        if (method.row == TT_SLOT_NO_ROW)
            continue;
        method.address = tt_class_slot(&scan->pointers, t->address, i);
        if (!method.address || is_tango(scan->elf, method.address))
            continue;
        for (unsigned j = 0; j < TT_ARGUMENT_REGS; j++)
            method.arguments[j] = (struct tt_origin){.reg = (uint8_t)tt_insn_argument_reg(j)};
        r = add_function(scan, &method, 0);
    }
    return r;
}

/* ---- planning -------------------------------------------------------------------------------------- */

static int compare_methods(const void *a, const void *b)
{
    const struct method *x = a, *y = b;

    if (x->address != y->address)
        return x->address < y->address ? -1 : 1;
    if (x->row != y->row)
        return x->row < y->row ? -1 : 1;
    return x->table < y->table ? -1 : x->table > y->table;
}

static bool same_arguments(const struct method *a, const struct method *b)
{
    for (unsigned i = 0; i < TT_ARGUMENT_REGS; i++) {
        if (a->arguments[i].reg != b->arguments[i].reg || a->arguments[i].off[0] != b->arguments[i].off[0])
            return false;
    }
    return true;
}

/* Returns a value, perhaps, and does nothing else: there is nothing to time, and the linker or the compiler
 * may have made one function of many. */
static bool is_trivial(struct tt_elf *elf, uint64_t address)
{
    for (unsigned i = 0; i < JUMP_MAX; i++) {
        uint64_t rest = tt_elf_rest(elf, address);
        const uint8_t *bytes = rest ? tt_elf_at(elf, address, rest < 16 ? rest : 16) : NULL;
        struct tt_insn insn;

        if (!bytes || tt_insn_decode(bytes, rest < 16 ? rest : 16, address, &insn) < 0)
            return false;
        if (insn.kind == TT_INSN_RET)
            return true;
        if (insn.kind != TT_INSN_OTHER || insn.emulated)
            return false;
        address += insn.length;
    }
    return false;
}

/* "TangoTest_ns::DevDoubleClass" of its mangled name; the caller's. */
static char *demangle_class(const char *name)
{
    static const char prefix[] = "typeinfo name for ";
    _cleanup_free_ char *symbol = NULL, *text = NULL;

    if (asprintf(&symbol, "_ZTS%s", name) < 0) {
        symbol = NULL;
        return NULL;
    }
    text = tt_demangle(symbol);
    return strdup(text && !strncmp(text, prefix, strlen(prefix)) ? text + strlen(prefix) : name);
}

/* What people are told of the function: its symbol, or the first of the slots it lies in. */
static char *describe_method(const struct scan *scan, const struct method *method, size_t count)
{
    const struct tt_elf_symbol *symbol = tt_elf_symbol_at(scan->elf, method->address);
    _cleanup_free_ char *class = demangle_class(type_name(scan, method->table)),
                        *function = symbol ? tt_demangle(symbol->name) : NULL;
    const char *signature = tt_rows[method->row].signature[0], *own;
    char *text = NULL, more[32] = "";
    int n;

    own = strstr(signature + 7, "::"); /* "Tango::" */
    if (!class || !own)
        return NULL;
    if (count > 1)
        snprintf(more, sizeof(more), " and %zu more", count - 1);
    n = function ? asprintf(&text, "%s", function)
                 : asprintf(&text, "%s%s%s%s", method->forwarded ? "called by " : "", class, own, more);
    return n < 0 ? NULL : text;
}

/* "level" of "N7Pogo_ns11levelAttribE", "Go" of "N7Pogo_ns7GoClassE": what Pogo makes the names of its
 * classes of. False: it is no such name. */
static bool pogo_name(const char *type, const char *suffix, char *name, size_t size)
{
    int scope = scope_length(type);
    const char *own = type + (scope > 0 ? scope : 0);
    size_t length = scope >= 0 ? strtoul(own, NULL, 10) : 0, end = strlen(suffix);

    own += strspn(own, "0123456789");
    if (length <= end || length - end >= size || strncmp(own + length - end, suffix, end) != 0)
        return false;
    snprintf(name, size, "%.*s", (int)(length - end), own);
    return true;
}

/* Which argument tells what the row's name needs, by its register; TT_ARGUMENT_REGS: none is needed. */
static unsigned naming_argument(const struct tt_row *row, const char **place, const char **suffix)
{
    for (unsigned i = 0; i < TT_ROW_ARGUMENTS && row->argument[i].field != TT_FIELD_NONE; i++) {
        const struct tt_argument *argument = &row->argument[i];

        *place = argument->value == TT_VALUE_ATTR_NAME ? "{attribute}" : "{command}";
        *suffix = argument->value == TT_VALUE_ATTR_NAME ? "Attrib" : "Class";
        if (argument->value == TT_VALUE_ATTR_NAME || argument->value == TT_VALUE_COMMAND_NAME)
            return (unsigned)argument->index;
    }
    return TT_ARGUMENT_REGS;
}

/*
 * A method of the device is not told which of its attributes or commands it is asked about: is_level_allowed
 * knows no more than its own name. Pogo calls the class so that jumps to it. Gives the function a row with
 * that name, without what cannot be read. *why: there is no such name, or there are several.
 */
static int name_group(const struct scan *scan, struct tt_plan *plan, const struct method *methods,
                      size_t count, uint32_t *row, const char **why)
{
    const struct tt_row *like = &tt_rows[methods->row];
    const char *place, *suffix, *at;
    unsigned argument = naming_argument(like, &place, &suffix);
    char name[128], other[128], text[256];
    struct tt_row made = *like;
    int64_t index;

    *row = methods->row;
    if (argument == TT_ARGUMENT_REGS || methods->arguments[argument].reg != TT_REG_NONE)
        return 0;
    for (size_t i = 0; i < count; i++) {
        if (!pogo_name(type_name(scan, methods[i].table), suffix, i ? other : name, sizeof(name)) ||
            (i && strcmp(name, other))) {
            *why = "what it is asked about is not told";
            return 0;
        }
    }
    at = strstr(like->name, place);
    snprintf(text, sizeof(text), "%.*s%s%s", (int)(at - like->name), like->name, name, at + strlen(place));
    for (unsigned i = 0, kept = 0; i < TT_ROW_ARGUMENTS; i++) {
        if (like->argument[i].value != TT_VALUE_ATTR_NAME && like->argument[i].value != TT_VALUE_COMMAND_NAME)
            made.argument[kept++] = like->argument[i];
        made.argument[TT_ROW_ARGUMENTS - 1].field = TT_FIELD_NONE;
    }
    index = tt_plan_add_row(plan, &made, text);
    *row = (uint32_t)index;
    return index < 0 ? (int)index : 0;
}

static int add_left_out(struct tt_plan *plan, const struct method *method, const char *signature,
                        const char *why)
{
    struct tt_plan_function *function = &plan->functions[plan->function_count++];

    *function = (struct tt_plan_function){
        .row = method->row,
        .address = method->address,
        .first = (uint32_t)plan->point_count,
        .symbol = strdup(signature),
        .signature = strdup(signature),
        .refused = strdup(why),
    };
    return function->symbol && function->signature && function->refused ? 0 : -ENOMEM;
}

/* Plans the function of `count` slots. */
static int plan_group(const struct scan *scan, struct tt_plan *plan, const struct method *methods,
                      size_t count)
{
    _cleanup_free_ char *signature = describe_method(scan, methods, count);
    const char *why = *methods->why ? methods->why : NULL;
    uint32_t row = methods->row;
    int r = 0;

    if (!signature)
        return -ENOMEM;
    if (!why && is_trivial(scan->elf, methods->address))
        why = "only returns: nothing to time";
    for (size_t i = 1; !why && i < count; i++) {
        if (*methods[i].why)
            why = methods[i].why;
        else if (methods[i].row != methods->row || !same_arguments(methods, &methods[i]))
            why = "one function in slots of different meaning";
    }
    if (!why)
        r = name_group(scan, plan, methods, count, &row, &why);
    if (r < 0 || why)
        return r < 0 ? r : add_left_out(plan, methods, signature, why);
    return tt_plan_function(plan, scan->elf,
                            &(struct tt_function){
                                .row = row,
                                .address = methods->address,
                                .symbol = signature,
                                .signature = signature,
                                .arguments = methods->arguments,
                                .whole = true,
                            });
}

static int plan_methods(struct scan *scan, struct tt_plan *plan)
{
    int r = 0;

    if (!scan->count)
        return -ENOENT;
    qsort(scan->methods, scan->count, sizeof(*scan->methods), compare_methods);
    plan->functions = calloc(scan->count, sizeof(*plan->functions));
    if (!plan->functions)
        return -ENOMEM;
    for (size_t i = 0, end; r >= 0 && i < scan->count; i = end) {
        for (end = i + 1; end < scan->count && scan->methods[end].address == scan->methods[i].address;)
            end++;
        r = plan_group(scan, plan, &scan->methods[i], end - i);
    }
    return r < 0 ? r : 0;
}

static void free_scan(struct scan *scan)
{
    free(scan->methods);
    free(scan->tables);
    tt_types_free(&scan->types);
    tt_pointers_free(&scan->pointers);
}

static int scan_file(struct tt_plan *plan, struct tt_elf *elf, const void *context)
{
    const struct tt_bases *bases = context;
    _cleanup_(free_scan) struct scan scan = {.elf = elf, .bases = bases};
    int r = tt_pointers_read(elf, &scan.pointers);

    plan->layout = bases->layout;
    if (r == 0)
        r = tt_types_read(&scan.pointers, &scan.types);
    if (r == 0)
        r = tt_class_tables(&scan.types, bases, &scan.tables, &scan.table_count);
    for (uint32_t i = 0; r == 0 && i < scan.table_count; i++)
        r = add_slots(&scan, i);
    return r < 0 ? r : plan_methods(&scan, plan);
}

int tt_plan_methods(int fd, const char *path, const struct tt_bases *bases, struct tt_plan **result,
                    char **error)
{
    return tt_plan_make(fd, path, scan_file, bases, result, error);
}

char *tt_plan_needs_tango(int fd)
{
    struct tt_elf elf;
    const char *why;
    char *name;

    if (tt_elf_open(&elf, fd, true, &why) < 0)
        return NULL;
    name = elf.tango_library ? strdup(elf.tango_library) : NULL;
    tt_elf_close(&elf);
    return name;
}
