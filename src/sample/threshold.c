/* SPDX-License-Identifier: GPL-2.0-only */
#include "sample/threshold.h"

#include <ctype.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define DIGITS    14 /* of 56 bits */
#define PRECISION 4  /* digits behind those that are all f: the share that is kept has 12 bits at least */

static unsigned digit_at(uint64_t threshold, unsigned number)
{
    return threshold >> (4 * (DIGITS - 1 - number)) & 15;
}

uint64_t tt_threshold_round(uint64_t threshold)
{
    unsigned digits = PRECISION;
    uint64_t unit;

    if (threshold >= TT_TH_NONE)
        return TT_TH_NONE;
    for (unsigned i = 0; i < DIGITS && digit_at(threshold, i) == 15; i++)
        digits++;
    if (digits >= DIGITS)
        return threshold;
    unit = 1ull << (4 * (DIGITS - digits));
    return (threshold + unit - 1) & ~(unit - 1);
}

uint64_t tt_threshold_of_ratio(double ratio)
{
    uint64_t exact, unit, rounded;

    if (!(ratio > 0))
        return TT_TH_NONE;
    if (ratio >= 1)
        return TT_TH_ALL;
    exact = TT_TH_NONE - (uint64_t)llround(ratio * (double)TT_TH_NONE);
    /* To the nearest, where tt_threshold_round goes up. */
    rounded = tt_threshold_round(exact);
    unit = rounded & -rounded;
    if (rounded != exact && rounded - exact > unit / 2 &&
        tt_threshold_round(rounded - unit) == rounded - unit)
        rounded -= unit;
    return rounded < TT_TH_NONE ? rounded : exact < TT_TH_NONE ? exact : TT_TH_NONE - 1;
}

uint64_t tt_threshold_random(const uint8_t trace_id[16])
{
    uint64_t bits = 0;

    for (int i = 9; i < 16; i++)
        bits = bits << 8 | trace_id[i];
    return bits;
}

const char *tt_threshold_text(uint64_t threshold, char text[TT_TH_TEXT])
{
    size_t length = DIGITS;

    snprintf(text, TT_TH_TEXT, "%014llx", (unsigned long long)(threshold & (TT_TH_NONE - 1)));
    while (length > 1 && text[length - 1] == '0')
        length--;
    text[length] = '\0';
    return text;
}

/* ---- tracestate: "ot=th:c;rv:123,vendor=value" ---- */

/* The list member `ot`, from behind the "ot=" to the comma or the end; NULL: there is none. */
static const char *find_member(const char *state, size_t *length)
{
    while (state && *state) {
        state += strspn(state, " \t,");
        *length = strcspn(state, ",");
        if (!strncmp(state, "ot=", 3)) {
            *length -= 3;
            return state + 3;
        }
        state += *length;
    }
    return NULL;
}

static bool read_threshold(const char *text, size_t length, uint64_t *threshold)
{
    uint64_t value = 0;

    if (!length || length > DIGITS)
        return false;
    for (size_t i = 0; i < DIGITS; i++) {
        char c = i < length ? text[i] : '0';

        if (!isdigit((unsigned char)c) && (c < 'a' || c > 'f'))
            return false;
        value = value << 4 | (uint64_t)(c <= '9' ? c - '0' : c - 'a' + 10);
    }
    *threshold = value;
    return true;
}

uint64_t tt_threshold_of_state(const char *state)
{
    size_t length;
    const char *member = find_member(state, &length), *end = member ? member + length : NULL;
    uint64_t threshold = TT_TH_ALL;

    while (member && member < end) {
        size_t part = strcspn(member, ";,");

        if (!strncmp(member, "th:", 3) && read_threshold(member + 3, part - 3, &threshold))
            return threshold;
        member += part + 1;
    }
    return TT_TH_ALL;
}

struct writer {
    char *out;
    size_t used;
};

/* Whole pieces only: half an entry is another one. */
static void add(struct writer *writer, const char *separator, const char *text, size_t length)
{
    size_t before = strlen(separator);

    if (writer->used + before + length > TT_TH_STATE)
        return;
    memcpy(writer->out + writer->used, separator, before);
    memcpy(writer->out + writer->used + before, text, length);
    writer->used += before + length;
}

/* What else stands in the member: rv (explicit random bits), sub-keys of later versions. */
static void add_rest_of_member(struct writer *writer, const char *state)
{
    size_t length;
    const char *member = find_member(state, &length), *end = member ? member + length : NULL;

    while (member && member < end) {
        size_t part = strcspn(member, ";,");

        if (part && strncmp(member, "th:", 3) != 0)
            add(writer, ";", member, part);
        member += part + 1;
    }
}

static void add_other_members(struct writer *writer, const char *state)
{
    while (state && *state) {
        size_t length;

        state += strspn(state, " \t,");
        length = strcspn(state, ",");
        if (length && strncmp(state, "ot=", 3) != 0)
            add(writer, ",", state, length);
        state += length;
    }
}

void tt_threshold_put(const char *state, uint64_t threshold, char out[TT_TH_STATE + 1])
{
    struct writer writer = {.out = out};
    char text[TT_TH_TEXT];

    tt_threshold_text(threshold, text);
    add(&writer, "ot=th:", text, strlen(text));
    add_rest_of_member(&writer, state);
    add_other_members(&writer, state);
    out[writer.used] = '\0';
}
