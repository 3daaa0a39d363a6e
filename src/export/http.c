/* SPDX-License-Identifier: GPL-2.0-only */
#include "export/http.h"

#include <curl/curl.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/clock.h"
#include "export/compress.h"
#include "export/ratelog.h"
#include "export/reply.h"

#define REPLY_MAX       (4u << 20) /* OTLP: larger answers count as not retryable */
#define BACKOFF_MIN_MS  250
#define BACKOFF_MAX_MS  5000
#define RETRY_AFTER_MAX 300 /* seconds; a longer wait loses more than it spares */
#define USER_AGENT      "tangotrace/" TT_VERSION " OTel-OTLP-Exporter-C/" TT_VERSION

/* A PEM file as it was when the connection was made; a new one replaces it while we run. */
struct watched {
    const char *path; /* NULL: none */
    struct timespec modified;
    off_t size;
    ino_t inode;
};

#define FILES 3

struct tt_http {
    struct tt_url url;
    const char *name;
    unsigned timeout_ms;
    CURL *easy;
    CURLM *multi;               /* only for its wait that another thread can end */
    struct curl_slist *headers; /* of the user */
    struct watched files[FILES];
    _Atomic uint64_t stop; /* deadline of everything */
    uint8_t *reply;
    size_t reply_size, reply_capacity;
    bool reply_too_large;
    char curl_error[CURL_ERROR_SIZE];
    unsigned backoff_ms; /* of the next retry; reset by a success */
    unsigned seed;
    uint64_t not_before;    /* the receiver asked (Retry-After) to be left alone until then */
    uint64_t failing_since; /* 0: the last post was accepted */
    bool told;              /* a warning about this outage was logged */
    struct tt_ratelog retries;
};

/* What one request came to. */
enum verdict { ACCEPTED, REFUSED, RETRY, BROKEN /* no answer, and another attempt cannot cure that */ };

static size_t on_body(char *data, size_t one, size_t size, void *context)
{
    struct tt_http *http = context;

    if (size > REPLY_MAX - http->reply_size) {
        http->reply_too_large = true;
        return 0;
    }
    if (size > http->reply_capacity - http->reply_size) {
        size_t capacity = (http->reply_size + size) * 2;
        uint8_t *grown = realloc(http->reply, capacity);

        if (!grown)
            return 0;
        http->reply = grown;
        http->reply_capacity = capacity;
    }
    memcpy(http->reply + http->reply_size, data, size);
    http->reply_size += size;
    return one * size;
}

/* libcurl's own sockets would be inherited by the COMMAND of `run`. */
static curl_socket_t on_socket(void *context, curlsocktype purpose, struct curl_sockaddr *address)
{
    return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

/* ---- set-up ------------------------------------------------------------------------------------------ */

static void global_init(void)
{
    curl_global_init(CURL_GLOBAL_DEFAULT);
}

static int set_files(struct tt_http *http, const struct tt_otlp_config *config, char **error)
{
    const struct {
        CURLoption option;
        const char *path, *what;
    } files[FILES] = {
        {CURLOPT_CAINFO, config->certificate, "certificate"},
        {CURLOPT_SSLCERT, config->client_certificate, "client certificate"},
        {CURLOPT_SSLKEY, config->client_key, "client key"},
    };

    for (size_t i = 0; i < FILES; i++) {
        if (!files[i].path)
            continue;
        if (access(files[i].path, R_OK) < 0) {
            int err = -errno;

            if (asprintf(error, "OTLP %s '%s' cannot be read: %s", files[i].what, files[i].path,
                         strerror(-err)) < 0)
                *error = NULL;
            return err;
        }
        curl_easy_setopt(http->easy, files[i].option, files[i].path);
        http->files[i].path = files[i].path;
    }
    return 0;
}

static void set_options(struct tt_http *http)
{
    CURL *easy = http->easy;

    curl_easy_setopt(easy, CURLOPT_URL, http->url.url);
    curl_easy_setopt(easy, CURLOPT_POST, 1L);
    curl_easy_setopt(easy, CURLOPT_USERAGENT, USER_AGENT);
    curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, http);
    curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, on_socket);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, http->curl_error);
    /* So that a new connection sees the files as they are now, and is the only one. */
    curl_easy_setopt(easy, CURLOPT_SSL_SESSIONID_CACHE, 0L);
#if LIBCURL_VERSION_NUM >= 0x075700
    curl_easy_setopt(easy, CURLOPT_CA_CACHE_TIMEOUT, 0L);
#endif
    curl_multi_setopt(http->multi, CURLMOPT_MAXCONNECTS, 1L);
    if (http->url.local)
        curl_easy_setopt(easy, CURLOPT_PROXY, "");
#if LIBCURL_VERSION_NUM >= 0x075500
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
#else
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS, (long)(CURLPROTO_HTTP | CURLPROTO_HTTPS));
#endif
#if LIBCURL_VERSION_NUM >= 0x075700
    curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L); /* does not wait for a name server that does not answer */
#endif
}

void tt_http_free(struct tt_http **http)
{
    struct tt_http *h = *http;

    *http = NULL;
    if (!h)
        return;
    curl_easy_cleanup(h->easy);
    curl_multi_cleanup(h->multi);
    curl_slist_free_all(h->headers);
    tt_url_free(&h->url);
    free(h->reply);
    free(h);
}

int tt_http_new(struct tt_http_config *config, struct tt_http **http, char **error)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    _cleanup_(tt_http_free) struct tt_http *new = calloc(1, sizeof(*new));
    int err;

    pthread_once(&once, global_init);
    if (!new) {
        tt_url_free(&config->url);
        return -ENOMEM;
    }
    new->url = config->url;
    config->url = (struct tt_url){0};
    new->name = config->name;
    new->timeout_ms = config->otlp->timeout_ms;
    new->stop = TT_NEVER;
    new->backoff_ms = BACKOFF_MIN_MS;
    if (getrandom(&new->seed, sizeof(new->seed), GRND_NONBLOCK) < 0)
        new->seed = (unsigned)tt_now_ns();
    new->easy = curl_easy_init();
    new->multi = curl_multi_init();
    if (!new->easy || !new->multi)
        return -ENOMEM;
    err = tt_url_headers(config->otlp->headers, &new->headers, error);
    if (!err)
        err = set_files(new, config->otlp, error);
    if (err < 0)
        return err;
    set_options(new);
    *http = TAKE_PTR(new);
    return 0;
}

/* ---- one request ------------------------------------------------------------------------------------- */

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* A file that is being replaced may be missing for a moment: then it counts as unchanged. */
static bool has_changed(struct watched *file)
{
    struct stat st;
    bool changed;

    if (!file->path || stat(file->path, &st))
        return false;
    changed = st.st_mtim.tv_sec != file->modified.tv_sec || st.st_mtim.tv_nsec != file->modified.tv_nsec ||
              st.st_size != file->size || st.st_ino != file->inode;
    file->modified = st.st_mtim;
    file->size = st.st_size;
    file->inode = st.st_ino;
    return changed;
}

static void look_at_files(struct tt_http *http)
{
    long changed = 0;

    for (size_t i = 0; i < FILES; i++)
        changed |= has_changed(&http->files[i]);
    curl_easy_setopt(http->easy, CURLOPT_FRESH_CONNECT, changed);
}

/* Like curl_easy_perform, but ends at the deadline to the millisecond, and when another thread sets one. */
static CURLcode perform(struct tt_http *http, uint64_t deadline)
{
    CURLcode code = CURLE_OPERATION_TIMEDOUT;
    bool done = false;

    if (curl_multi_add_handle(http->multi, http->easy) != CURLM_OK)
        return CURLE_OUT_OF_MEMORY;
    while (!done) {
        int running, queued;
        uint64_t now = tt_now_ns(), end = earlier(deadline, http->stop);
        const CURLMsg *message;

        if (curl_multi_perform(http->multi, &running) != CURLM_OK) {
            code = CURLE_OUT_OF_MEMORY;
            break;
        }
        while ((message = curl_multi_info_read(http->multi, &queued))) {
            if (message->msg == CURLMSG_DONE) {
                code = message->data.result;
                done = true;
            }
        }
        if (done || now >= end)
            break;
        curl_multi_poll(http->multi, NULL, 0, tt_ms_until(now, end, 60000), NULL);
    }
    curl_multi_remove_handle(http->multi, http->easy);
    return code;
}

/* Failures of the transport that another attempt cannot cure: the configuration or the peer is wrong. */
static bool is_permanent(CURLcode code)
{
    static const CURLcode permanent[] = {
        CURLE_UNSUPPORTED_PROTOCOL, CURLE_URL_MALFORMAT,      CURLE_PEER_FAILED_VERIFICATION,
        CURLE_SSL_CERTPROBLEM,      CURLE_SSL_CACERT_BADFILE, CURLE_SSL_CIPHER,
        CURLE_WRITE_ERROR,          CURLE_TOO_MANY_REDIRECTS, CURLE_FAILED_INIT,
    };

    for (size_t i = 0; i < TT_ARRAY_SIZE(permanent); i++) {
        if (permanent[i] == code)
            return true;
    }
    return false;
}

static const char *advise(CURLcode code)
{
    switch (code) {
    case CURLE_COULDNT_CONNECT:
        return "; is a collector or back end running there?";
    case CURLE_COULDNT_RESOLVE_HOST:
        return "; check the host name";
    case CURLE_PEER_FAILED_VERIFICATION:
        return "; if it has its own authority, give that by OTEL_EXPORTER_OTLP_CERTIFICATE";
    case CURLE_SSL_CONNECT_ERROR:
        return "; does that port speak TLS (https)?";
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_WEIRD_SERVER_REPLY:
        return "; this is no HTTP port (4317 is usually gRPC, 4318 HTTP)";
    default:
        return "";
    }
}

static enum verdict judge_failure(struct tt_http *http, CURLcode code, struct tt_http_reply *reply)
{
    const char *what = *http->curl_error ? http->curl_error : curl_easy_strerror(code);

    if (code == CURLE_OPERATION_TIMEDOUT)
        what = "no connection or no answer in time";
    snprintf(reply->error, sizeof(reply->error), "%s%s", what, advise(code));
    return is_permanent(code) ? BROKEN : RETRY;
}

static enum verdict judge_status(struct tt_http *http, long status, struct tt_http_reply *reply)
{
    char message[TT_REPLY_TEXT], *location = NULL;
    const char *advice = "";

    if (status < 300)
        return ACCEPTED;
    if (status < 400) {
        curl_easy_getinfo(http->easy, CURLINFO_REDIRECT_URL, &location);
        snprintf(reply->error, sizeof(reply->error),
                 "answered %ld, a redirect to %.400s, which is not followed: use that URL instead", status,
                 location ? location : "nowhere");
        return REFUSED;
    }
    if (status == 401 || status == 403)
        advice = "; check OTEL_EXPORTER_OTLP_HEADERS";
    else if (status == 404 || status == 405)
        advice = "; is this the URL of an OTLP/HTTP receiver for traces?";
    tt_reply_message(http->reply, http->reply_size, reply->content_type, message);
    snprintf(reply->error, sizeof(reply->error), "answered %ld%s%s%s", status, *message ? ": " : "", message,
             advice);
    return status == 429 || (status >= 502 && status <= 504) ? RETRY : REFUSED;
}

/*
 * Once there is a status, that is the answer, even if the rest was cut off: the receiver has taken (or
 * refused) the spans, and sending them again would double them.
 */
static enum verdict judge(struct tt_http *http, CURLcode code, struct tt_http_reply *reply)
{
    long status = 0;

    curl_easy_getinfo(http->easy, CURLINFO_RESPONSE_CODE, &status);
    if (http->reply_too_large) {
        snprintf(reply->error, sizeof(reply->error), "the answer (status %ld) is larger than %u MiB", status,
                 REPLY_MAX >> 20);
        return REFUSED;
    }
    if (status < 200)
        return judge_failure(http, code, reply);
    if (code != CURLE_OK)
        http->reply_size = 0;
    return judge_status(http, status, reply);
}

/* A request with these headers before those of the user; they are libcurl's for the time of it. */
static CURLcode request(struct tt_http *http, const struct tt_http_body *body, uint64_t deadline)
{
    static char protobuf[] = "Content-Type: application/x-protobuf",
                json[] = "Content-Type: application/json",
                /* keeps libcurl from waiting a second for a 100 that many receivers never send */
        expect[] = "Expect:";
    const char *encoding = tt_encoding_name(body->encoding);
    char encoded[64];
    struct curl_slist list[] = {
        {body->json ? json : protobuf, &list[1]},
        {expect, encoding ? &list[2] : http->headers},
        {encoded, http->headers},
    };
    CURLcode code;

    snprintf(encoded, sizeof(encoded), "Content-Encoding: %s", encoding ? encoding : "");
    curl_easy_setopt(http->easy, CURLOPT_HTTPHEADER, list);
    curl_easy_setopt(http->easy, CURLOPT_POSTFIELDS, body->data);
    curl_easy_setopt(http->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)body->size);
    look_at_files(http);
    code = perform(http, deadline);
    curl_easy_setopt(http->easy, CURLOPT_HTTPHEADER, NULL);
    return code;
}

static enum verdict attempt(struct tt_http *http, const struct tt_http_body *body, uint64_t deadline,
                            struct tt_http_reply *reply)
{
    curl_off_t size = 0;
    long headers = 0;
    enum verdict verdict;
    CURLcode code;

    http->reply_size = 0;
    http->reply_too_large = false;
    http->curl_error[0] = '\0';
    code = request(http, body, deadline);
    reply->requests++;
    reply->content_type = NULL;
    curl_easy_getinfo(http->easy, CURLINFO_CONTENT_TYPE, &reply->content_type);
    curl_easy_getinfo(http->easy, CURLINFO_SIZE_UPLOAD_T, &size);
    curl_easy_getinfo(http->easy, CURLINFO_REQUEST_SIZE, &headers);
    reply->sent += (uint64_t)size + (uint64_t)headers;
    verdict = judge(http, code, reply);
    reply->body = http->reply;
    reply->size = http->reply_size;
    return verdict;
}

/* ---- retries ----------------------------------------------------------------------------------------- */

/* Sleeps; ends early when the stop's deadline comes first. */
static void sleep_until(struct tt_http *http, uint64_t then)
{
    for (;;) {
        uint64_t now = tt_now_ns(), end = earlier(then, http->stop);

        if (now >= end)
            return;
        curl_multi_poll(http->multi, NULL, 0, tt_ms_until(now, end, 60000), NULL);
    }
}

/* The wait before the next attempt: what the receiver asked for, else the back-off with its jitter. */
static uint64_t next_pause(struct tt_http *http)
{
    curl_off_t seconds = 0;
    unsigned ms = http->backoff_ms;

    http->backoff_ms = ms * 2 < BACKOFF_MAX_MS ? ms * 2 : BACKOFF_MAX_MS;
    curl_easy_getinfo(http->easy, CURLINFO_RETRY_AFTER, &seconds);
    if (seconds > 0) {
        uint64_t pause = (uint64_t)(seconds < RETRY_AFTER_MAX ? seconds : RETRY_AFTER_MAX) * TT_NS_PER_S;

        http->not_before = tt_now_ns() + pause;
        return pause;
    }
    return (ms / 2 + (unsigned)rand_r(&http->seed) % (ms / 2 + 1)) * TT_NS_PER_MS;
}

static void note_failure(struct tt_http *http, const char *error, const char *then)
{
    if (!http->failing_since)
        http->failing_since = tt_now_ns();
    if (tt_ratelog_warn(&http->retries, TT_RATELOG_S, "%s: %s; %s", http->name, error, then))
        http->told = true;
}

static void note_success(struct tt_http *http)
{
    if (http->failing_since && http->told)
        tt_info("%s: accepts again after %.1f s", http->name,
                (double)(tt_now_ns() - http->failing_since) / (double)TT_NS_PER_S);
    http->failing_since = 0;
    http->told = false;
    http->backoff_ms = BACKOFF_MIN_MS;
}

static bool may_try(const struct tt_http *http, uint64_t deadline)
{
    uint64_t now = tt_now_ns();

    return now >= http->not_before && now < earlier(deadline, http->stop);
}

static const struct tt_http_reply no_reply = {.error = "the agent ended before this could be sent"};

void tt_http_post(struct tt_http *http, const struct tt_http_body *body, struct tt_http_reply *reply)
{
    enum verdict verdict = RETRY;
    uint64_t deadline;

    *reply = no_reply;
    /* The receiver's wish does not count as this post's time: the queue has room for just that. */
    sleep_until(http, http->not_before);
    deadline = tt_now_ns() + http->timeout_ms * TT_NS_PER_MS;
    while (may_try(http, deadline)) {
        uint64_t pause;

        verdict = attempt(http, body, deadline, reply);
        if (verdict != RETRY)
            break;
        pause = next_pause(http);
        if (tt_now_ns() + pause >= earlier(deadline, http->stop))
            break;
        note_failure(http, reply->error, "trying again");
        sleep_until(http, tt_now_ns() + pause);
    }
    if (verdict == ACCEPTED)
        note_success(http);
    reply->outcome = verdict == ACCEPTED ? TT_HTTP_ACCEPTED
                     : verdict == RETRY  ? TT_HTTP_GAVE_UP
                                         : TT_HTTP_REFUSED;
}

void tt_http_try(struct tt_http *http, const struct tt_http_body *body, struct tt_http_reply *reply)
{
    uint64_t deadline = tt_now_ns() + http->timeout_ms * TT_NS_PER_MS;
    enum verdict verdict;

    *reply = no_reply;
    if (!may_try(http, deadline)) {
        reply->retry_at = http->not_before;
        reply->outcome = TT_HTTP_GAVE_UP;
        return;
    }
    verdict = attempt(http, body, deadline, reply);
    if (verdict == RETRY || verdict == BROKEN) {
        reply->retry_at = tt_now_ns() + next_pause(http);
        note_failure(http, reply->error, "kept on the disk until that is over");
        reply->outcome = TT_HTTP_GAVE_UP;
        return;
    }
    note_success(http);
    reply->outcome = verdict == ACCEPTED ? TT_HTTP_ACCEPTED : TT_HTTP_REFUSED;
}

bool tt_http_stopped(const struct tt_http *http)
{
    return tt_now_ns() >= http->stop;
}

void tt_http_stop(struct tt_http *http, uint64_t deadline)
{
    http->stop = deadline;
    curl_multi_wakeup(http->multi);
}
