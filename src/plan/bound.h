/* SPDX-License-Identifier: GPL-2.0-only */
/* bound.h (private to plan): binary search in sorted arrays. */
#pragma once

#include <stddef.h>

/* Index of the first of `count` elements of `array`, sorted by `field`, whose field is not below `key`;
 * `count` if there is none. */
#define TT_LOWER_BOUND(array, count, field, key)                                                             \
    ({                                                                                                       \
        size_t _low = 0, _high = (count);                                                                    \
        while (_low < _high) {                                                                               \
            size_t _middle = _low + (_high - _low) / 2;                                                      \
            if ((array)[_middle].field < (key))                                                              \
                _low = _middle + 1;                                                                          \
            else                                                                                             \
                _high = _middle;                                                                             \
        }                                                                                                    \
        _low;                                                                                                \
    })
