/* SPDX-License-Identifier: GPL-2.0-only */
#include "discover/describe.h"

static void library_json(struct tt_json *json, const struct tt_process *process, enum tt_library library,
                         const char *version_key, const char *build_id_key)
{
    for (size_t i = 0; i < process->file_count; i++) {
        const struct tt_mapped_file *file = &process->files[i];

        if (!file->library[library])
            continue;
        tt_json_string(json, version_key, file->version);
        if (file->build_id_size)
            tt_json_hex(json, build_id_key, file->build_id, file->build_id_size);
        else
            tt_json_string(json, build_id_key, NULL);
        return;
    }
}

void tt_process_json(struct tt_json *json, const struct tt_process *process)
{
    tt_json_object(json, NULL);
    tt_json_int(json, "pid", process->pid);
    tt_json_string(json, "name", process->name);
    tt_json_string(json, "server", process->server);
    tt_json_string(json, "script", process->script);
    tt_json_string(json, "runtime", process->runtime);
    tt_json_string(json, "user", process->user);
    tt_json_string(json, "exe", process->exe);
    tt_json_string(json, "tango_host", process->tango_host);
    tt_json_string(json, "cgroup", process->cgroup);
    tt_json_uint(json, "netns", process->netns);
    tt_json_bool(json, "selected", process->selected);
    tt_json_string(json, "rule", process->rule);
    tt_json_string(json, "detail", tt_detail_names[__atomic_load_n(&process->detail, __ATOMIC_RELAXED)]);
    library_json(json, process, TT_LIBRARY_TANGO, "tango_version", "tango_build_id");
    library_json(json, process, TT_LIBRARY_OMNIORB, "omniorb_version", "omniorb_build_id");
}
