/* SPDX-License-Identifier: GPL-2.0-only */
/* assembled.h: functions.S, or another, as a shared library, made by the compiler when a test starts. */
#pragma once

#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Descriptor of the library; it has no name any more. `options` are the compiler's. -1 if it cannot be made.
 */
static inline int assemble_source(const char *file, const char *options)
{
    char source[] = __FILE__, name[] = "/tmp/tangotrace-test-XXXXXX", command[4096];
    int fd = mkstemp(name);

    if (fd < 0)
        return -1;
    snprintf(command, sizeof(command), "gcc -shared -nostdlib %s '%s/%s' -o '%s'", options, dirname(source),
             file, name);
    close(fd);
    fd = system(command) ? -1 : open(name, O_RDONLY | O_CLOEXEC);
    unlink(name);
    return fd;
}

static inline int assemble(const char *options)
{
    return assemble_source("functions.S", options);
}
