/* SPDX-License-Identifier: GPL-2.0-only */
/* cleanup.h: ownership helpers. Descriptors start at -1; free functions take a pointer to the pointer. */
#pragma once

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static inline void tt_cleanup_free(void *p)
{
    free(*(void **)p);
}

static inline void tt_cleanup_close(const int *fd)
{
    if (*fd >= 0)
        close(*fd);
}

static inline void tt_cleanup_fclose(FILE **file)
{
    if (*file)
        fclose(*file);
}

static inline void tt_cleanup_closedir(DIR **dir)
{
    if (*dir)
        closedir(*dir);
}

#define _cleanup_(f)       __attribute__((cleanup(f)))
#define _cleanup_free_     _cleanup_(tt_cleanup_free)
#define _cleanup_close_    _cleanup_(tt_cleanup_close)
#define _cleanup_fclose_   _cleanup_(tt_cleanup_fclose)
#define _cleanup_closedir_ _cleanup_(tt_cleanup_closedir)

/* Hands the value over and leaves the variable empty, so that its cleanup does nothing. */
#define TAKE_PTR(p)                                                                                          \
    ({                                                                                                       \
        __typeof__(p) *_p = &(p), _v = *_p;                                                                  \
        *_p = NULL;                                                                                          \
        _v;                                                                                                  \
    })
#define TAKE_FD(fd)                                                                                          \
    ({                                                                                                       \
        int *_f = &(fd), _v = *_f;                                                                           \
        *_f = -1;                                                                                            \
        _v;                                                                                                  \
    })

#define TT_ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define TT_UNUSED        __attribute__((unused))
