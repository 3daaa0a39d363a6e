/* SPDX-License-Identifier: GPL-2.0-only */
#include "query/regex.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "base/text.h"

/* pcre2_match backtracks: on one text it takes at most this many steps and this much memory. A thousand steps
 * are some 20 us; what a person writes needs less than that on texts of up to 1 KB. */
#define MATCH_STEPS 20000
#define MATCH_KB    256
#define NEST_MAX    64

struct tt_regex {
    pcre2_code *code;
    pcre2_match_data *match; /* made once: nothing is allocated per text */
    pcre2_match_context *limits;
    uint64_t given_up;
};

static int refuse(int code, size_t offset, char **error, size_t *at)
{
    PCRE2_UCHAR why[128];

    pcre2_get_error_message(code, why, sizeof(why));
    *error = tt_format("%s", (const char *)why);
    *at = offset;
    return -EINVAL;
}

static int compile(const char *pattern, pcre2_compile_context *context, struct tt_regex *regex, char **error,
                   size_t *at)
{
    /* As RE2 has it: valid UTF-8 is not presumed, $ is the end alone, and the whole text is meant. */
    static const uint32_t options = PCRE2_UTF | PCRE2_MATCH_INVALID_UTF | PCRE2_NEVER_BACKSLASH_C |
                                    PCRE2_DOLLAR_ENDONLY | PCRE2_ANCHORED | PCRE2_ENDANCHORED;
    uint32_t back = 0;
    PCRE2_SIZE offset = 0;
    int code = 0;

    pcre2_set_parens_nest_limit(context, NEST_MAX);
    regex->code = pcre2_compile((PCRE2_SPTR)pattern, strlen(pattern), options, &code, &offset, context);
    if (!regex->code)
        return refuse(code, offset, error, at);
    pcre2_pattern_info(regex->code, PCRE2_INFO_BACKREFMAX, &back);
    if (back) {
        *error = strdup("back references are not possible");
        *at = 0;
        return -EINVAL;
    }
    regex->match = pcre2_match_data_create(1, NULL); /* the whole match is all there is to know */
    regex->limits = pcre2_match_context_create(NULL);
    if (!regex->match || !regex->limits)
        return -ENOMEM;
    pcre2_set_match_limit(regex->limits, MATCH_STEPS);
    pcre2_set_heap_limit(regex->limits, MATCH_KB);
    return 0;
}

int tt_regex_compile(const char *pattern, struct tt_regex **regex, char **error, size_t *at)
{
    struct tt_regex *made = calloc(1, sizeof(*made));
    pcre2_compile_context *context = made ? pcre2_compile_context_create(NULL) : NULL;
    int err = context ? compile(pattern, context, made, error, at) : -ENOMEM;

    pcre2_compile_context_free(context);
    if (err) {
        tt_regex_free(&made);
        return err;
    }
    *regex = made;
    return 0;
}

void tt_regex_free(struct tt_regex **regex)
{
    struct tt_regex *r = *regex;

    *regex = NULL;
    if (!r)
        return;
    pcre2_code_free(r->code);
    pcre2_match_data_free(r->match);
    pcre2_match_context_free(r->limits);
    free(r);
}

bool tt_regex_match(struct tt_regex *regex, const char *text)
{
    int code = pcre2_match(regex->code, (PCRE2_SPTR)text, strlen(text), 0, 0, regex->match, regex->limits);

    if (code < 0 && code != PCRE2_ERROR_NOMATCH)
        regex->given_up++;
    return code >= 0;
}

uint64_t tt_regex_given_up(const struct tt_regex *regex)
{
    return regex->given_up;
}
