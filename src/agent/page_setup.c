/* SPDX-License-Identifier: GPL-2.0-only */
#include "agent/page_setup.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "http/httpd.h"
#include "options/options.h"
#include "store/flat.h"

#define FILE_MAX (1u << 20)

void tt_page_setup_free(struct tt_page_setup **setup)
{
    struct tt_page_setup *s = TAKE_PTR(*setup);

    if (!s)
        return;
    tt_cleanup_close(&s->listener);
    free(s->listen);
    free(s->url);
    free(s->token);
    free(s->recording);
    free(s->certificate);
    if (s->key)
        explicit_bzero(s->key, strlen(s->key));
    free(s->key);
    free(s->clients);
    free(s);
}

/* ---- TLS ---- */

static int read_file(const char *option, const char *path, char **text)
{
    size_t size;
    int error;

    if (!path)
        return 0;
    error = tt_read_file_at(AT_FDCWD, path, FILE_MAX, text, &size, NULL);
    return error ? tt_err(error, "no page: --%s %s: %s", option, path, strerror(-error)) : 0;
}

/* While this process may read them: the one that serves may not. */
static int read_files(struct tt_page_setup *setup, const struct tt_options *options)
{
    _cleanup_free_ char *why = NULL;
    int error;

    if (!options->view_certificate != !options->view_key)
        return tt_err(-EINVAL,
                      "no page: --view-certificate and --view-key are given together, or neither is");
    if (options->view_client_ca && !options->view_certificate)
        return tt_err(-EINVAL, "no page: --view-client-ca wants --view-certificate and --view-key, too");
    error = read_file("view-certificate", options->view_certificate, &setup->certificate);
    if (!error)
        error = read_file("view-key", options->view_key, &setup->key);
    if (!error)
        error = read_file("view-client-ca", options->view_client_ca, &setup->clients);
    if (error || !setup->certificate)
        return error;
    error = tt_httpd_tls_check(&(struct tt_httpd_tls){setup->certificate, setup->key, setup->clients}, &why);
    return error ? tt_err(error, "no page: --view-certificate, --view-key, --view-client-ca: %s",
                          why ? why : strerror(-error))
                 : 0;
}

static bool same_file(const char *path, const char *text)
{
    _cleanup_free_ char *now = NULL;
    size_t size;

    if (!path || !text)
        return !path == !text;
    return !tt_read_file_at(AT_FDCWD, path, FILE_MAX, &now, &size, NULL) && !strcmp(now, text);
}

bool tt_page_setup_is_current(const struct tt_page_setup *setup, const struct tt_options *options)
{
    return same_file(options->view_certificate, setup->certificate) &&
           same_file(options->view_key, setup->key) && same_file(options->view_client_ca, setup->clients);
}

/* ---- where, and who may ask ---- */

static unsigned long port_of(const char *listen)
{
    const char *colon = strrchr(listen, ':');

    return strtoul(colon ? colon + 1 : listen, NULL, 10);
}

static int open_listener(struct tt_page_setup *setup, const struct tt_page_setup *old)
{
    _cleanup_free_ char *why = NULL;
    char taken[64] = "";
    int error = 0;

    if (old)
        tt_httpd_name(old->listener, taken, sizeof(taken));
    if (old && !strcmp(setup->listen, old->listen)) {
        setup->listener = fcntl(old->listener, F_DUPFD_CLOEXEC, 0);
        error = setup->listener < 0 ? -errno : 0;
    } else if (old && port_of(setup->listen) == port_of(taken)) {
        error = tt_httpd_listen_beside(setup->listen, old->listener, &setup->listener, &why);
    } else {
        error = tt_httpd_listen(setup->listen, &setup->listener, &why);
    }
    return error ? tt_err(error, "no page: %s%s", why ? why : strerror(-error),
                          setup->recording ? " (--view-listen ADDRESS:PORT takes another)"
                                           : "; tracing goes on")
                 : 0;
}

static const char *token_of(const struct tt_options *options)
{
    return options->view_token ? options->view_token : "auto";
}

static bool is_loopback(const char *address)
{
    return !strncmp(address, "127.", 4) || !strncmp(address, "[::1]", 5);
}

/* As a service every user of the host can reach the port, elsewhere everybody can: but for those who have no
 * certificate, where one is wanted. */
static bool needs_token(const struct tt_page_setup *setup, const struct tt_options *options,
                        const char *address)
{
    bool open = !is_loopback(address) || getenv("INVOCATION_ID");

    return !strcmp(token_of(options), "auto") ? open && !setup->clients
                                              : strcmp(token_of(options), "none") != 0;
}

static int make_token(struct tt_page_setup *setup, const struct tt_options *options,
                      const struct tt_page_setup *old)
{
    uint8_t bytes[16];
    struct tt_text text = {0};

    setup->made = !strcmp(token_of(options), "auto");
    if (!setup->made) {
        setup->token = strdup(token_of(options));
    } else if (old && old->made) {
        setup->token = strdup(old->token); /* those who look go on */
    } else {
        if (getrandom(bytes, sizeof(bytes), 0) != sizeof(bytes))
            return -EIO;
        for (size_t i = 0; i < sizeof(bytes); i++)
            tt_text_printf(&text, "%02x", bytes[i]);
        setup->token = tt_text_take(&text);
    }
    return setup->token ? 0 : -ENOMEM;
}

static int make_url(struct tt_page_setup *setup, const struct tt_options *options,
                    const struct tt_page_setup *old)
{
    char address[64];
    int error = 0;

    tt_httpd_name(setup->listener, address, sizeof(address));
    if (!is_loopback(address) && !strcmp(token_of(options), "none") && !setup->clients)
        return tt_err(
            -EPERM,
            "no page: %s can be reached from elsewhere, and --view-token is none: who may look there shows "
            "a token, or a certificate (--view-client-ca)",
            address);
    if (needs_token(setup, options, address))
        error = make_token(setup, options, old);
    if (error)
        return tt_err(error, "no page: %s", strerror(-error));
    setup->url = tt_format("http%s://%s/%s%s", setup->certificate ? "s" : "", address,
                           setup->token ? "?token=" : "", setup->token ? setup->token : "");
    return setup->url ? 0 : -ENOMEM;
}

int tt_page_setup_new(const struct tt_options *options, const char *recording,
                      const struct tt_page_setup *old, struct tt_page_setup **setup)
{
    _cleanup_(tt_page_setup_free) struct tt_page_setup *made = calloc(1, sizeof(*made));
    int error;

    if (!made)
        return -ENOMEM;
    made->listener = -1;
    made->memory = options->view_memory;
    made->age_ns = recording ? 0 : options->view_age * TT_NS_PER_MS;
    made->listen = strdup(options->view_listen);
    made->recording = recording ? strdup(recording) : NULL;
    if (!made->listen || !made->recording != !recording)
        return -ENOMEM;
    error = read_files(made, options);
    if (!error)
        error = open_listener(made, old);
    if (!error)
        error = make_url(made, options, old);
    if (!error)
        *setup = TAKE_PTR(made);
    return error;
}

int tt_page_setup_send(const struct tt_page_setup *setup, int fd)
{
    const uint64_t numbers[] = {setup->memory, setup->age_ns};
    char host[HOST_NAME_MAX + 1] = "";
    const char *const texts[] = {setup->token,       host,       setup->recording,
                                 setup->certificate, setup->key, setup->clients};
    _cleanup_(tt_text_free) struct tt_text text = {0};
    size_t place = tt_flat_begin(&text, TT_FLAT_CONFIG), sent = 0;

    gethostname(host, sizeof(host) - 1);
    tt_flat_put(&text, numbers, sizeof(numbers));
    for (size_t i = 0; i < TT_ARRAY_SIZE(texts); i++)
        tt_flat_string(&text, texts[i]);
    tt_flat_end(&text, place);
    if (text.failed)
        return -ENOMEM;
    while (sent < text.size) {
        ssize_t n = send(fd, text.data + sent, text.size - sent, MSG_NOSIGNAL);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? -errno : -EPIPE;
        sent += (size_t)n;
    }
    return 0;
}
