/* SPDX-License-Identifier: GPL-2.0-only */
/* Against the digests of Python's hashlib.blake2b(digest_size=32), which is the reference implementation. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/blake2b.h"

/* Of `size` bytes 0, 7, 14, .., given in parts of `part`. */
static void check(size_t size, size_t part, const char *expected)
{
    uint8_t bytes[1000], digest[TT_DIGEST_SIZE];
    char text[2 * TT_DIGEST_SIZE + 1];
    struct tt_blake2b state;

    for (size_t i = 0; i < size; i++)
        bytes[i] = (uint8_t)(i * 7);
    tt_blake2b_begin(&state);
    for (size_t at = 0; at < size; at += part)
        tt_blake2b_add(&state, bytes + at, size - at < part ? size - at : part);
    tt_blake2b_end(&state, digest);
    for (size_t i = 0; i < sizeof(digest); i++)
        sprintf(text + 2 * i, "%02x", digest[i]);
    assert_string_equal(text, expected);
}

static void known_digests(void **state)
{
    static const struct {
        size_t size;
        const char *digest;
    } cases[] = {
        {0, "0e5751c026e543b2e8ab2eb06099daa1d1e5df47778f7787faab45cdf12fe3a8"},
        {1, "03170a2e7597b7b7e3d84c05391d139a62b157e78786d8c082f29dcf4c111314"},
        {127, "4ff62e7c4c43fe101a078479c48836be4907d9d498dcc577ca89d694b2c11f9b"},
        {128, "14696d2a98d9f8a280da8b132b1045b345e1033759c6b02fcc4ee885c8ae7c37"},
        {129, "3934215260b1039be9d9d2b073b059bcd50120c327a22af93eb4d98cf821c14c"},
        {256, "3d0cb2693dfbac42af5a6cc960953fea8714aa39c4bcd054ef61d6b5e98ade4a"},
        {1000, "6ac4bea923678eb024090384d6e767b5870f849057dc19b172d8d9f2df30bf8e"},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        check(cases[i].size, 1000, cases[i].digest);
        check(cases[i].size, 128, cases[i].digest);
        check(cases[i].size, 13, cases[i].digest);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(known_digests)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
