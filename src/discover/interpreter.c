/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * interpreter.c: Py_GetVersion() writes its text into a buffer of its own (Python/getversion.c, 3.9 to 3.14)
 * among the interpreter's zeroed data, before any code of Python's runs. No symbol leads there, so these data
 * are searched.
 */
#include "discover/interpreter.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "host/host.h"

#define CHUNK   65536
#define BSS_MAX (4ull << 20)

char *tt_python_version_of(uint32_t hex)
{
    static const char *const levels[16] = {
        [0xa] = "alpha", [0xb] = "beta", [0xc] = "candidate", [0xf] = "final"};
    unsigned major = hex >> 24, minor = hex >> 16 & 0xff, micro = hex >> 8 & 0xff, serial = hex & 0xf;
    const char *level = levels[hex >> 4 & 0xf] ?: "unknown";

    if ((hex & 0xff) == 0xf0)
        return tt_format("%u.%u.%u", major, minor, micro);
    return tt_format("%u.%u.%u.%s.%u", major, minor, micro, level, serial);
}

/* "3.11.2 (main, Nov 30 2024, 21:22:50) [GCC 12.2.0]"; before 3.10 a new line before the bracket. */
static bool is_text(const char *text, size_t length)
{
    const char *open = memchr(text, '(', length), *bracket = memchr(text, '[', length);

    for (size_t i = 0; i < length; i++)
        if ((text[i] < ' ' && text[i] != '\n') || text[i] == 127)
            return false;
    return open && bracket && open > text && open[-1] == ' ' && open < bracket && text[length - 1] == ']';
}

const char *tt_python_find_text(const char *bytes, size_t size, unsigned minor)
{
    char start[16];
    size_t length;

    snprintf(start, sizeof(start), "3.%u.", minor);
    for (const char *at = bytes; (at = memmem(at, size - (size_t)(at - bytes), start, strlen(start))); at++) {
        length = strnlen(at, size - (size_t)(at - bytes));
        if (length < size - (size_t)(at - bytes) && length < TT_PYTHON_TEXT_MAX && (at == bytes || !at[-1]) &&
            is_text(at, length))
            return at;
    }
    return NULL;
}

static char *read_text(pid_t pid, uint64_t address, uint64_t size, unsigned minor)
{
    _cleanup_free_ char *bytes = malloc(CHUNK);

    for (uint64_t at = 0; bytes && at < size && at < BSS_MAX; at += CHUNK - TT_PYTHON_TEXT_MAX) {
        ssize_t n = tt_host_read_memory(pid, address + at, bytes, size - at < CHUNK ? size - at : CHUNK);
        const char *text = n > 0 ? tt_python_find_text(bytes, (size_t)n, minor) : NULL;

        if (text)
            return strdup(text);
        if (n <= 0)
            break;
    }
    return NULL;
}

int tt_python_read_version(struct tt_process *process, uint64_t base, const struct tt_plan_python *python)
{
    if (!python->minor)
        return 0;
    process->python_all = read_text(process->pid, base + (uint64_t)python->bss, python->bss_size,
                                    python->minor);
    if (python->version)
        process->python = tt_python_version_of(python->version);
    else if (process->python_all)
        process->python = strndup(process->python_all, strcspn(process->python_all, " +"));
    else
        process->python = tt_format("3.%u", python->minor);
    return process->python ? 0 : -ENOMEM;
}
