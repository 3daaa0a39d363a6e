/* SPDX-License-Identifier: GPL-2.0-only */
/* build_id.h: the NT_GNU_BUILD_ID of an ELF file: a good name for it, and no proof of what is in it. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define TT_BUILD_ID_MAX 32

/* From the program headers; longer ones are cut. 0; -ENOENT: none; -EINVAL: no ELF file that can be used. */
int tt_build_id_read(int fd, uint8_t id[TT_BUILD_ID_MAX], size_t *size);
