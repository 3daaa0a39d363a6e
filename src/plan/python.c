/* SPDX-License-Identifier: GPL-2.0-only */
/* python.c: where a file has Python's runtime state, and which version it is. */
#include <errno.h>
#include <string.h>

#include "plan/elf.h"
#include "plan/plan.h"

/* Py_Version (3.11 and later) is PY_VERSION_HEX. PyIter_Send came with 3.10, PyObject_CallNoArgs with 3.9
 * (the documentation of the C API: "New in version"). */
static void find_version(struct tt_elf *elf, struct tt_plan_python *python)
{
    const uint8_t *bytes = elf->python_version ? tt_elf_at(elf, elf->python_version, 4) : NULL;

    if (bytes)
        memcpy(&python->version, bytes, sizeof(python->version));
    if (python->version >> 24 != 3)
        python->version = 0;
    if (elf->python_version)
        python->minor = python->version >> 16 & 0xff;
    else if (tt_elf_exports(elf, "PyIter_Send"))
        python->minor = 10;
    else
        python->minor = tt_elf_exports(elf, "PyObject_CallNoArgs") ? 9 : 0;
}

/* It lies behind the last segment's bytes. */
static void find_bss(const struct tt_elf *elf, uint64_t start, struct tt_plan_python *python)
{
    uint64_t end = 0;

    for (size_t i = 0; i < elf->load_count; i++) {
        uint64_t its = elf->loads[i].address + elf->loads[i].size;

        end = its > end ? its : end;
    }
    python->bss = (int64_t)(end - start);
    python->bss_size = elf->highest > end ? elf->highest - end : 0;
}

int tt_plan_python(int fd, uint64_t mapping_offset, struct tt_plan_python *python)
{
    struct tt_elf elf;
    const char *why;
    int r = tt_elf_open(&elf, fd, true, &why);

    if (r < 0)
        return r;
    r = -ENOENT;
    for (size_t i = 0; elf.python_runtime && i < elf.load_count; i++) {
        const struct tt_elf_load *load = &elf.loads[i];
        uint64_t start;

        if (!load->executable || mapping_offset > load->offset ||
            load->offset - mapping_offset >= 65536) /* mappings begin at the page of the segment */
            continue;
        start = load->address - (load->offset - mapping_offset);
        *python = (struct tt_plan_python){0};
        find_version(&elf, python);
        find_bss(&elf, start, python);
        python->runtime = (int64_t)(elf.python_runtime - start);
        python->method = elf.python_method ? (int64_t)(elf.python_method - start) : 0;
        r = 0;
        break;
    }
    tt_elf_close(&elf);
    return r;
}
