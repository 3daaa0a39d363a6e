/* SPDX-License-Identifier: GPL-2.0-only */
/* tempo.h (private to view): the parts of Tempo's API. */
#pragma once

#include "view/internal.h"

void tt_tempo_refuse(struct tt_httpd_reply *reply, unsigned status, const char *why);
/* The arguments start and end, in seconds. False: they are no numbers. */
bool tt_tempo_times(const struct tt_httpd_request *request, struct tt_view_search *search);

/* `second`: of version 2 of the API, which tells names by scope, and may be asked for one. */
void tt_tempo_tag_names(struct tt_view *view, const struct tt_httpd_request *request, bool second,
                        struct tt_httpd_reply *reply);
/* `rest` is KEY/values. Version 2 tells only those of spans that satisfy `q`, if that can be read: it may be
 * what a person is about to write. */
void tt_tempo_tag_values(struct tt_view *view, const struct tt_httpd_request *request, const char *rest,
                         bool second, struct tt_httpd_reply *reply);
