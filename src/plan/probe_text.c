/* SPDX-License-Identifier: GPL-2.0-only */
/* probe_text.c: a user's probe from its text. */
#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "plan/probes.h"

#define PLACE_MAX 9
#define LABEL_MAX 32

/* What an argument can be, and what is captured of it. */
static const struct kind {
    const char *name;
    enum tt_value value;
    enum tt_field field; /* NONE: it is shown by its own name */
    bool returned;       /* can be looked at when it is returned */
} kinds[] = {
    {"int", TT_VALUE_U32, TT_FIELD_NONE, true},
    {"unsigned", TT_VALUE_U32, TT_FIELD_NONE, true},
    {"bool", TT_VALUE_U32, TT_FIELD_NONE, true},
    {"long", TT_VALUE_U64, TT_FIELD_NONE, true},
    {"pointer", TT_VALUE_U64, TT_FIELD_NONE, true},
    {"char*", TT_VALUE_CSTRING, TT_FIELD_NONE, false},
    {"string", TT_VALUE_STRING, TT_FIELD_NONE, false},
    {"device", TT_VALUE_IMPL_NAME, TT_FIELD_DEVICE, false},
    {"attribute", TT_VALUE_ATTRIBUTE_NAME, TT_FIELD_ATTRIBUTE, false},
    {"command", TT_VALUE_COMMAND_NAME, TT_FIELD_COMMAND, false},
};

static int __attribute__((format(printf, 2, 3))) refuse(char **error, const char *format, ...)
{
    struct tt_text text = {0};
    char what[512];
    va_list args;

    va_start(args, format);
    vsnprintf(what, sizeof(what), format, args);
    va_end(args);
    tt_text_safe(&text, what);
    *error = tt_text_take(&text);
    return *error ? -EINVAL : -ENOMEM;
}

/* ---- arguments: "1 int energy, 2 string mode, 0 device, return int result" ---- */

static const struct kind *kind_of(const char *name)
{
    for (size_t i = 0; i < TT_ARRAY_SIZE(kinds); i++) {
        if (!strcmp(kinds[i].name, name))
            return &kinds[i];
    }
    return NULL;
}

static bool is_name(const char *text)
{
    size_t length = strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_");

    return length && !text[length] && length < LABEL_MAX && !isdigit((unsigned char)*text);
}

static int add(struct tt_probe *probe, enum tt_field field, enum tt_value value, int place, char **error)
{
    size_t used = 0;

    while (used < TT_ROW_ARGUMENTS && probe->row.argument[used].field != TT_FIELD_NONE)
        used++;
    if (used >= TT_MAX_CAPTURES || used + 1 >= TT_ROW_ARGUMENTS)
        return refuse(error, "more than %d values are captured (a device is two)", TT_MAX_CAPTURES);
    probe->row.argument[used] = (struct tt_argument){field, value, place};
    return 0;
}

/* One that is shown by a name of its own. */
static int add_labelled(struct tt_probe *probe, const struct kind *kind, const char *name, int place,
                        struct tt_text *labels, char **error)
{
    unsigned number = 0;

    for (const char *at = labels->data; at && *at; at++)
        number += *at == ',';
    number += labels->size > 0;
    if (number == TT_PROBE_ARGUMENTS)
        return refuse(error, "more than %d arguments", TT_PROBE_ARGUMENTS);
    tt_text_printf(labels, "%s%s:%s", number ? "," : "", name, kind->name);
    return add(probe, TT_FIELD_ARGUMENT_1 + number,
               place == TT_ARGUMENT_RETURNED ? TT_VALUE_RETURNED_U64 : kind->value, place, error);
}

static int read_argument(struct tt_probe *probe, const char *text, struct tt_text *labels, char **error)
{
    char place[16] = "", type[16] = "", name[LABEL_MAX + 1] = "", more[2] = "";
    int words = sscanf(text, "%15s %15s %32s %1s", place, type, name, more), number = -1;
    const struct kind *kind = kind_of(type);
    int r;

    if (words < 2 || words > 3)
        return refuse(error, "argument \"%s\": a place, a kind and a name are expected, as \"1 int energy\"",
                      text);
    if (!strcmp(place, "return"))
        number = TT_ARGUMENT_RETURNED;
    else if (isdigit((unsigned char)*place) && !place[1] && *place - '0' <= PLACE_MAX)
        number = *place - '0';
    if (number < 0)
        return refuse(error, "argument \"%s\": the place is to be 0 to %d (0: this), or return", text,
                      PLACE_MAX);
    if (!kind)
        return refuse(error,
                      "argument \"%s\": the kind is to be int, unsigned, bool, long, pointer, char*, string, "
                      "device, attribute or command",
                      text);
    if (number == TT_ARGUMENT_RETURNED && !kind->returned)
        return refuse(error, "argument \"%s\": no %s can be looked at when it is returned", text, type);
    if (kind->field != TT_FIELD_NONE) {
        r = words == 3 ? refuse(error, "argument \"%s\": a %s has no name of its own", text, type)
                       : add(probe, kind->field, kind->value, number, error);
        return r || kind->field != TT_FIELD_DEVICE
                   ? r
                   : add(probe, TT_FIELD_CLASS, TT_VALUE_IMPL_CLASS, number, error);
    }
    if (!is_name(name))
        return refuse(error, "argument \"%s\": a name of letters, digits and '_' is missing", text);
    return add_labelled(probe, kind, name, number, labels, error);
}

static int read_arguments(struct tt_probe *probe, char *text, char **error)
{
    _cleanup_(tt_text_free) struct tt_text labels = {0};
    char *rest = NULL;
    int r = 0;

    for (char *one = strtok_r(text, ",", &rest); !r && one; one = strtok_r(NULL, ",", &rest))
        r = read_argument(probe, one, &labels, error);
    if (r)
        return r;
    if (labels.failed)
        return -ENOMEM;
    if (labels.size)
        probe->labels = tt_text_take(&labels);
    probe->row.arguments = probe->labels;
    return labels.size && !probe->labels ? -ENOMEM : 0;
}

/* ---- the function ---- */

/* Where the parameters begin in what the glob is about; its end if it is only about a name. */
static const char *parameters_of(const char *glob)
{
    static const char unnamed[] = "(anonymous namespace)";

    while (*glob && *glob != '(')
        glob++;
    return strncmp(glob, unnamed, strlen(unnamed)) != 0 ? glob : parameters_of(glob + strlen(unnamed));
}

/* Is the word written otherwise in symbols, or no part of the name? */
static bool is_elsewhere(const char *word)
{
    static const char *const words[] = {"operator", "std", "anonymous", "namespace"};

    for (size_t i = 0; i < TT_ARRAY_SIZE(words); i++) {
        if (!strncmp(word, words[i], strlen(words[i])))
            return true;
    }
    return false;
}

/* The longest piece of an identifier in the name that the glob is about: it stands in every mangled name. */
static void set_hint(struct tt_probe *probe, const char *end)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_";
    const char *at = probe->function;
    size_t best = 0;

    while (at < end) {
        size_t length = strspn(at, letters);

        if (*at == '[' && memchr(at, ']', (size_t)(end - at))) { /* any of these */
            at = memchr(at, ']', (size_t)(end - at));
            continue;
        }
        if (length > best && length < sizeof(probe->hint) && !is_elsewhere(at)) {
            memcpy(probe->hint, at, length);
            probe->hint[length] = '\0';
            best = length;
        }
        at += length ? length : 1;
    }
}

static int set_function(struct tt_probe *probe, char **error)
{
    char *end;

    if (!strncmp(probe->function, "0x", 2)) {
        errno = 0;
        probe->address = strtoull(probe->function + 2, &end, 16);
        if (errno || *end || !probe->address)
            return refuse(error, "\"%s\" is no address", probe->function);
        return probe->file ? 0
                           : refuse(error, "an address needs the file it is in: file=MyServer; function=%s",
                                    probe->function);
    }
    end = strchr(probe->function, '\0');
    probe->signature = parameters_of(probe->function) != end;
    set_hint(probe, parameters_of(probe->function));
    if (!*probe->hint)
        return refuse(error, "\"%s\" could be any function: part of its name is needed", probe->function);
    return 0;
}

static int set_key(struct tt_probe *probe, const char *key, char **value, char **error)
{
    char **text = !strcmp(key, "function") ? &probe->function : !strcmp(key, "file") ? &probe->file : NULL;

    if (!strcmp(key, "arguments"))
        return probe->row.argument[0].field != TT_FIELD_NONE
                   ? refuse(error, "\"arguments\" stands twice in the probe")
                   : read_arguments(probe, *value, error);
    if (!text)
        return refuse(error, "a probe knows function, file and arguments, not \"%s\"", key);
    if (*text)
        return refuse(error, "\"%s\" stands twice in the probe", key);
    *text = TAKE_PTR(*value);
    return 0;
}

int tt_probe_parse(const char *text, struct tt_probe *probe, char **error)
{
    _cleanup_(tt_probe_free) struct tt_probe made = {.row = {
                                                         .library = TT_LIBRARY_TANGO,
                                                         .role = TT_ROLE_METHOD,
                                                         .detail = TT_DETAIL_METHODS,
                                                         .foreign = true,
                                                     }};
    int r;

    do {
        _cleanup_free_ char *key = NULL, *value = NULL;

        r = tt_pair_next(&text, &key, &value);
        if (r == -EINVAL)
            return refuse(error, "\"%s\" has no value; a probe is written function=MyDevice::compute*", key);
        if (r > 0 && set_key(&made, key, &value, error))
            return *error ? -EINVAL : -ENOMEM;
    } while (r > 0);
    if (r < 0)
        return r;
    if (!made.function)
        return refuse(error, "the probe names no function: function=MyDevice::compute*");
    r = set_function(&made, error);
    if (r)
        return r;
    *probe = made;
    made = (struct tt_probe){0};
    return 0;
}

void tt_probe_free(struct tt_probe *probe)
{
    free(probe->function);
    free(probe->file);
    free(probe->labels);
    *probe = (struct tt_probe){0};
}

int tt_probe_check(const char *text, char **error)
{
    struct tt_probe probe;
    int r = tt_probe_parse(text, &probe, error);

    if (!r)
        tt_probe_free(&probe);
    return r;
}

int tt_probes_new(const char *const *texts, size_t count, struct tt_probes **probes)
{
    _cleanup_(tt_probes_free) struct tt_probes *made = calloc(1, sizeof(*made));
    int r = 0;

    if (!made)
        return -ENOMEM;
    made->array = calloc(count ? count : 1, sizeof(*made->array));
    if (!made->array)
        return -ENOMEM;
    for (size_t i = 0; !r && i < count; i++) {
        _cleanup_free_ char *error = NULL;

        r = tt_probe_parse(texts[i], &made->array[i], &error);
        made->count += !r;
    }
    if (!r)
        *probes = TAKE_PTR(made);
    return r;
}

void tt_probes_free(struct tt_probes **probes)
{
    if (!*probes)
        return;
    for (size_t i = 0; i < (*probes)->count; i++)
        tt_probe_free(&(*probes)->array[i]);
    free((*probes)->array);
    free(TAKE_PTR(*probes));
}
