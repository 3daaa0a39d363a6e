/* SPDX-License-Identifier: GPL-2.0-only */
/* fuzz_config.c: any bytes as a configuration file: an error with a text, or options that print to a file
 * without error. */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "options/options.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    _cleanup_free_ char *error = NULL;
    int err = tt_options_check_yaml((const char *)data, size, "fuzz", &error);

    if ((err != 0 && err != -EINVAL) || (err != 0) != (error != NULL))
        abort();
    return 0;
}
