/* SPDX-License-Identifier: GPL-2.0-only */
/* fuzz_proc.c: what a hostile process can put into /proc: lines of maps, stat, and its command line. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "discover/naming.h"
#include "discover/proc.h"

#define ARGS 32

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void fuzz_maps(const char *text, size_t size)
{
    for (size_t i = 0; i < size; i += strlen(text + i) + 1) {
        _cleanup_free_ char *line = strdup(text + i);
        struct tt_mapping mapping;

        if (line && !tt_maps_parse(line, &mapping) &&
            (mapping.start >= mapping.end || strlen(mapping.path) > strlen(text + i)))
            abort();
    }
}

static void fuzz_names(char *text, size_t size)
{
    _cleanup_(tt_names_free) struct tt_names names = {0};
    char *argv[ARGS + 1] = {NULL};
    size_t count = 0;

    for (size_t i = 0; i < size && count < ARGS; i += strlen(text + i) + 1)
        argv[count++] = text + i;
    if (!tt_names_read(argv, count ? argv[count - 1] : NULL, &names) &&
        (!*names.script || (names.instance && (!*names.instance || strchr(names.instance, '/')))))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    _cleanup_free_ char *text = malloc(size + 1);
    struct tt_proc_stat stat;

    if (!text)
        return 0;
    memcpy(text, data, size);
    text[size] = '\0';
    tt_proc_parse_stat(text, &stat);
    fuzz_maps(text, size);
    fuzz_names(text, size);
    return 0;
}
