/* SPDX-License-Identifier: GPL-2.0-only */
/* doctor.c: `tangotrace doctor [PID]`. */
#include "cli/doctor.h"

#include <limits.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "base/log.h"
#include "base/text.h"
#include "cli/commands.h"

void tt_doctor_say(struct tt_doctor *doctor, enum tt_verdict verdict, const char *what, const char *advice,
                   const char *format, ...)
{
    static const char *const names[] = {"ok", "warn", "fail"};
    _cleanup_(tt_text_free) struct tt_text safe = {0};
    _cleanup_free_ char *found = NULL;
    va_list args;

    va_start(args, format);
    if (vasprintf(&found, format, args) < 0)
        found = NULL;
    va_end(args);
    doctor->warnings += verdict == TT_WARN;
    doctor->failures += verdict == TT_FAIL;
    if (verdict == TT_OK)
        advice = NULL;
    if (doctor->json) {
        tt_json_object(doctor->json, NULL);
        tt_json_string(doctor->json, "verdict", names[verdict]);
        tt_json_string(doctor->json, "what", what);
        tt_json_string(doctor->json, "found", found);
        tt_json_string(doctor->json, "advice", advice);
        tt_json_object_end(doctor->json);
        return;
    }
    tt_text_safe(&safe, found ? found : "out of memory");
    printf("%-5s %-22s %s\n", names[verdict], what, safe.data ? safe.data : "");
    if (advice)
        printf("%-28s -> %s\n", "", advice);
}

/* The findings, then one sentence; the exit code. */
static int conclude(const struct tt_doctor *doctor, unsigned host_failures, bool process)
{
    if (host_failures)
        tt_error("nothing can be traced on this host as it is: see the lines marked fail");
    else if (doctor->failures)
        tt_error("this process is not traced: see the lines marked fail");
    else if (!doctor->json)
        printf("\n%s can be traced%s\n", process ? "This process" : "Tango programs of this host",
               doctor->warnings ? ", with the limits above" : "");
    return host_failures ? TT_EXIT_MISSING : doctor->failures ? TT_EXIT_FAILURE : TT_EXIT_OK;
}

int tt_cmd_doctor(const struct tt_options *options)
{
    _cleanup_(tt_json_free) struct tt_json json = {0};
    struct tt_doctor doctor = {.json = options->json ? &json : NULL};
    const char *argument = options->arguments[0];
    unsigned host_failures;
    uint64_t pid = 0;

    if (argument && (tt_parse_u64(argument, &pid) || !pid || pid > INT_MAX)) {
        tt_error("\"%s\" is no process id; usage: tangotrace doctor [PID]", argument);
        return TT_EXIT_USAGE;
    }
    tt_json_object(&json, NULL);
    tt_json_array(&json, "findings");
    /* What fails is told by the findings. */
    if (options->log_level < TT_LOG_DEBUG)
        tt_log_set_level(TT_LOG_ALWAYS);
    tt_doctor_host(&doctor);
    tt_doctor_around(&doctor, options->config);
    tt_log_set_level(options->log_level);
    host_failures = doctor.failures;
    if (argument)
        tt_doctor_process(&doctor, options, (pid_t)pid);
    else
        tt_doctor_processes(&doctor);
    tt_json_array_end(&json);
    tt_json_bool(&json, "possible", !doctor.failures);
    tt_json_object_end(&json);
    if (options->json && !json.failed)
        puts(json.data);
    return conclude(&doctor, host_failures, argument != NULL);
}
