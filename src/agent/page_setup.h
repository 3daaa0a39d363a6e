/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * page_setup.h (private to the page): how it is served, by the options: where, for whom, what it remembers.
 * All that can be wrong with them is found out when one is made, while another one is in use.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct tt_options;

struct tt_page_setup {
    int listener;
    char *listen; /* as it was asked for */
    char *url;    /* with the token, if there is one */
    char *token;  /* NULL: none */
    bool made;    /* the token, here: nobody has said it */
    char *recording;
    /* PEM; NULL: no TLS, and that clients need none. */
    char *certificate, *key, *clients;
    uint64_t memory, age_ns;
};

/* The port of `old` (may be NULL) can be its port as well, and a token that was made for it stays. 0, or a
 * negative errno, said. */
int tt_page_setup_new(const struct tt_options *options, const char *recording,
                      const struct tt_page_setup *old, struct tt_page_setup **setup);
void tt_page_setup_free(struct tt_page_setup **setup);
/* The certificates that these options name are those that `setup` has. False as well where they cannot be
 * read. */
bool tt_page_setup_is_current(const struct tt_page_setup *setup, const struct tt_options *options);
/* The first frame of the process that serves. 0 or a negative errno. */
int tt_page_setup_send(const struct tt_page_setup *setup, int fd);
