/* SPDX-License-Identifier: GPL-2.0-only */
/* reply.h: what commands do with the answer of the running agent. */
#pragma once

#include <json-c/json.h>

#include "options/options.h"

/* The value of a key, or NULL: none, or `object` is none. It stays the object's. */
struct json_object *tt_reply_member(struct json_object *object, const char *key);
/* The same as text; "" where there is none. */
const char *tt_reply_text(struct json_object *object, const char *key);

/* The reply as an object, the caller's (json_object_put); NULL, logged: it is a refusal, or no object. */
struct json_object *tt_reply_parse(const char *reply);
/* Logs that a reply is not what it should be; false. */
bool tt_reply_strange(void);

/* Asks the running agent, or tells it to do something, and prints what it says: with --json as it came, else
 * by `print`, which returns the exit code. The exit code. */
int tt_reply_show(const struct tt_options *options, const char *request, bool tell,
                  int (*print)(struct json_object *root));
