/* SPDX-License-Identifier: GPL-2.0-only */
/* assets.c: the files of the page, as they lie in web/, in the program. */
#include <errno.h>
#include <libdeflate.h>
#include <stdlib.h>
#include <string.h>

#include "base/blake2b.h"
#include "base/cleanup.h"
#include "view/internal.h"

#define ASSET(_name, _file)                                                                                  \
    __asm__(".section .rodata\n"                                                                             \
            ".global tt_asset_" #_name ", tt_asset_" #_name "_end\n"                                         \
            "tt_asset_" #_name ":\n.incbin \"src/view/web/" _file "\"\n"                                     \
            "tt_asset_" #_name "_end:\n.byte 0\n.previous\n");                                               \
    extern const char tt_asset_##_name[], tt_asset_##_name##_end[]

ASSET(index, "index.html");
ASSET(style, "style.css");
ASSET(app, "app.js");
ASSET(api, "api.js");
ASSET(dom, "dom.js");
ASSET(format, "format.js");
ASSET(chart, "chart.js");
ASSET(graph, "graph.js");
ASSET(live, "live.js");
ASSET(traces, "traces.js");
ASSET(trace, "trace.js");
ASSET(span, "span.js");
ASSET(series, "series.js");
ASSET(changes, "changes.js");
ASSET(agent, "agent.js");
ASSET(icon, "icon.svg");

#define HTML "text/html; charset=utf-8"
#define CSS  "text/css; charset=utf-8"
#define JS   "text/javascript; charset=utf-8"

struct asset {
    const char *path, *type, *begin, *end;
    void *packed; /* gzip; NULL: it was not worth it */
    size_t packed_size;
    char tag[24]; /* ETag */
};

#define ROW(_path, _type, _name)                                                                             \
    {                                                                                                        \
        .path = _path, .type = _type, .begin = tt_asset_##_name, .end = tt_asset_##_name##_end               \
    }

static struct asset assets[] = {
    ROW("/", HTML, index),         ROW("/style.css", CSS, style),
    ROW("/app.js", JS, app),       ROW("/api.js", JS, api),
    ROW("/dom.js", JS, dom),       ROW("/format.js", JS, format),
    ROW("/chart.js", JS, chart),   ROW("/graph.js", JS, graph),
    ROW("/live.js", JS, live),     ROW("/traces.js", JS, traces),
    ROW("/trace.js", JS, trace),   ROW("/span.js", JS, span),
    ROW("/series.js", JS, series), ROW("/changes.js", JS, changes),
    ROW("/agent.js", JS, agent),   ROW("/icon.svg", "image/svg+xml", icon),
};

static void pack(struct asset *asset, struct libdeflate_compressor *compressor)
{
    size_t size = (size_t)(asset->end - asset->begin);
    uint8_t hash[TT_DIGEST_SIZE];
    struct tt_blake2b state;

    tt_blake2b_begin(&state);
    tt_blake2b_add(&state, asset->begin, size);
    tt_blake2b_end(&state, hash);
    snprintf(asset->tag, sizeof(asset->tag), "\"%02x%02x%02x%02x%02x%02x%02x%02x\"", hash[0], hash[1],
             hash[2], hash[3], hash[4], hash[5], hash[6], hash[7]);
    asset->packed = malloc(size);
    if (asset->packed)
        asset->packed_size = libdeflate_gzip_compress(compressor, asset->begin, size, asset->packed, size);
    if (!asset->packed_size)
        free(TAKE_PTR(asset->packed));
}

/* Once; they live as long as the process. */
int tt_view_assets_new(void)
{
    struct libdeflate_compressor *compressor = libdeflate_alloc_compressor(12);

    if (!compressor)
        return -ENOMEM;
    for (size_t i = 0; i < TT_ARRAY_SIZE(assets); i++)
        pack(&assets[i], compressor);
    libdeflate_free_compressor(compressor);
    return 0;
}

static void put(struct asset *asset, const struct tt_httpd_request *request, struct tt_httpd_reply *reply)
{
    const char *encodings = tt_httpd_header(request, "Accept-Encoding");
    const char *known = tt_httpd_header(request, "If-None-Match");
    bool packed = asset->packed && encodings && strstr(encodings, "gzip");

    reply->cache = "no-cache"; /* asked for each time, by its tag */
    reply->content_type = asset->type;
    tt_httpd_reply_header(reply, "ETag", strdup(asset->tag));
    tt_httpd_reply_header(reply, "Vary", strdup("Accept-Encoding"));
    if (known && strstr(known, asset->tag)) {
        reply->status = 304;
        return;
    }
    if (packed)
        tt_httpd_reply_header(reply, "Content-Encoding", strdup("gzip"));
    reply->memory = packed ? asset->packed : asset->begin;
    reply->memory_size = packed ? asset->packed_size : (size_t)(asset->end - asset->begin);
}

void tt_view_asset(void *context, const struct tt_httpd_request *request, struct tt_httpd_reply *reply)
{
    for (size_t i = 0; i < TT_ARRAY_SIZE(assets); i++) {
        if (strcmp(assets[i].path, request->path) != 0)
            continue;
        put(&assets[i], request, reply);
        return;
    }
    reply->status = 404;
    tt_text_puts(&reply->body, "there is no such file; the page is at /, its API in docs/api.md\n");
}
