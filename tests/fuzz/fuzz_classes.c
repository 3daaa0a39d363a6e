/* SPDX-License-Identifier: GPL-2.0-only */
/* Files of device servers, and cppTango libraries, as the scan for classes reads them: any bytes give a plan
 * or an error, never a crash, and no point outside. */
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "plan/classes.h"
#include "plan/plan.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What a cppTango says: three classes, as small as they come. */
static struct tt_bases *make_bases(void)
{
    static const struct {
        const char *name;
        size_t slots;
    } classes[] = {{"N5Tango11DeviceClassE", 4},
                   {"N5Tango12Device_5ImplE", 10},
                   {"N5Tango4AttrE", 6},
                   {"N5Tango7CommandE", 4}};
    struct tt_bases *bases = calloc(1, sizeof(*bases));
    uint32_t row = 0;

    bases->layout = &tt_layouts[0];
    bases->count = TT_ARRAY_SIZE(classes);
    bases->array = calloc(bases->count, sizeof(*bases->array));
    for (uint32_t i = 0; i < bases->count; i++) {
        struct tt_base *base = &bases->array[i];

        base->name = strdup(classes[i].name);
        base->root = i;
        base->known = true;
        base->slot_count = classes[i].slots;
        base->slots = calloc(base->slot_count, sizeof(*base->slots));
        for (size_t j = 0; j < base->slot_count; j++) {
            while (row < tt_row_count && !tt_rows[row].overrides)
                row++;
            base->slots[j].row = row < tt_row_count ? row++ : TT_SLOT_NO_ROW;
        }
        row = 0;
    }
    return bases;
}

static void check_plan(const struct tt_plan *plan, const uint8_t *data, size_t size)
{
    _cleanup_(tt_json_free) struct tt_json json = {0};

    for (size_t i = 0; i < plan->point_count; i++) {
        const struct tt_plan_point *point = &plan->points[i];

        if (!point->length || point->offset > size || point->length > size - point->offset ||
            memcmp(data + point->offset, point->bytes, point->length) || !point->emulated ||
            point->function >= plan->function_count ||
            point->point.function >= tt_row_count + plan->row_count ||
            !tt_plan_row(plan, point->point.function)->overrides)
            abort();
        for (size_t j = 0; j < i; j++) {
            if (plan->points[j].offset == point->offset)
                abort();
        }
    }
    for (size_t i = 0; i < plan->function_count; i++) {
        if (!plan->functions[i].count == !plan->functions[i].refused)
            abort();
    }
    tt_plan_to_json(plan, &json);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct tt_bases *fixed;
    _cleanup_(tt_bases_free) struct tt_bases *own = NULL;
    _cleanup_(tt_plan_free) struct tt_plan *plan = NULL, *other = NULL;
    _cleanup_close_ int fd = memfd_create("classes", MFD_CLOEXEC);
    _cleanup_free_ char *error = NULL;

    if (!fixed)
        fixed = make_bases();
    if (fd < 0 || write(fd, data, size) != (ssize_t)size)
        return 0;
    if (!tt_plan_methods(fd, "fuzz", fixed, &plan, &error))
        check_plan(plan, data, size);
    free(TAKE_PTR(error));
    if (!tt_bases_read(fd, "fuzz", &own, &error) && !tt_plan_methods(fd, "fuzz", own, &other, &error))
        check_plan(other, data, size);
    return 0;
}
