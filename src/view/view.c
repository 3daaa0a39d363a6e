/* SPDX-License-Identifier: GPL-2.0-only */
#include "view/view.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "view/internal.h"

#define NOBODY  65534
#define SMALL   256
#define READ    262144
#define FILES   (TT_VIEW_CLIENTS + 32)
#define WAKE_MS 1000

/* ---- rights ---- */

static int give_up_capabilities(void)
{
    struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {0};

    return (int)syscall(SYS_capset, &head, none);
}

/* Nobody, for good; no file beyond those that are connections, no child, no core. */
static int give_up_rights(void)
{
    const struct rlimit none = {0, 0}, files = {FILES, FILES};

    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || setrlimit(RLIMIT_NOFILE, &files) ||
        setrlimit(RLIMIT_CORE, &none) || setrlimit(RLIMIT_FSIZE, &none))
        return -errno;
    if (geteuid() == 0 &&
        (setgroups(0, NULL) || setresgid(NOBODY, NOBODY, NOBODY) || setresuid(NOBODY, NOBODY, NOBODY)))
        return -errno;
    /* Of one who is not root, but has capabilities (ambient, or of the file). */
    if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) || give_up_capabilities())
        return -errno;
    if (geteuid() == NOBODY && (!setuid(0) || !seteuid(0)))
        return -EPERM;
    /* Its memory has the token and names of devices: not for others of that user. */
    return prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) ? -errno : 0;
}

/* ---- frames ---- */

struct input {
    int fd;
    char *data;
    size_t size, capacity, used;
};

/* More bytes; false: the agent has ended. */
static bool fill(struct input *input)
{
    ssize_t n;

    if (input->used) {
        memmove(input->data, input->data + input->used, input->size - input->used);
        input->size -= input->used;
        input->used = 0;
    }
    if (input->capacity - input->size < READ) {
        char *larger = realloc(input->data, input->size + 2 * (size_t)READ);

        if (!larger)
            return false;
        input->data = larger;
        input->capacity = input->size + 2 * (size_t)READ;
    }
    do
        n = read(input->fd, input->data + input->size, READ);
    while (n < 0 && errno == EINTR);
    if (n > 0)
        input->size += (size_t)n;
    return n > 0;
}

/* The next whole frame, valid until fill(); NULL: there is none. *bad: what comes is no frame. */
static const void *next_frame(struct input *input, struct tt_flat_head *head, bool *bad)
{
    const char *at = input->data + input->used;
    size_t left = input->size - input->used;

    if (left < sizeof(*head))
        return NULL;
    memcpy(head, at, sizeof(*head));
    if (head->size > TT_FLAT_MAX) {
        *bad = true;
        return NULL;
    }
    if (left < sizeof(*head) + head->size)
        return NULL;
    input->used += sizeof(*head) + head->size;
    return at + sizeof(*head);
}

static const void *wait_frame(struct input *input, struct tt_flat_head *head, bool *bad)
{
    const void *frame;

    while (!(frame = next_frame(input, head, bad)))
        if (*bad || !fill(input))
            return NULL;
    return frame;
}

/* ---- life ---- */

static char *copy(const char *string)
{
    return string && *string ? strdup(string) : NULL;
}

static int configure(struct tt_view *view, const void *data, size_t size)
{
    struct tt_flat_reader reader = {data, (const char *)data + size, false};
    struct tt_store_config config;
    char **const texts[] = {&view->token,       &view->host, &view->recording,
                            &view->certificate, &view->key,  &view->clients};
    uint64_t numbers[2];

    tt_flat_get(&reader, numbers, sizeof(numbers));
    for (size_t i = 0; i < TT_ARRAY_SIZE(texts); i++)
        *texts[i] = copy(tt_flat_get_string(&reader));
    if (reader.bad)
        return -EBADMSG;
    view->bytes = numbers[0];
    view->age_ns = numbers[1];
    config = (struct tt_store_config){.bytes = view->bytes, .age_ns = view->age_ns};
    view->store = tt_store_new(&config);
    return view->store ? tt_view_assets_new() : -ENOMEM;
}

static int serve(struct tt_view *view)
{
    /* Nothing but what comes from here; no frame around it; nothing said to others about where it was. */
    static const char policy[] =
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
    static const char *const headers[] = {
        "Content-Security-Policy",
        policy,
        "Referrer-Policy",
        "no-referrer",
        "Cross-Origin-Resource-Policy",
        "same-origin",
        "Cross-Origin-Opener-Policy",
        "same-origin",
        "X-Frame-Options",
        "DENY",
        NULL,
    };
    const struct tt_httpd_config config = {
        .routes = tt_view_routes,
        .context = view,
        .admit = tt_view_admit,
        .headers = headers,
        .clients = TT_VIEW_CLIENTS,
        .threads = 2,
        .tls = {view->certificate, view->key, view->clients},
    };

    tt_httpd_name(TT_VIEW_LISTENER, view->address, sizeof(view->address));
    return tt_httpd_serve(TT_VIEW_LISTENER, &config, &view->httpd);
}

/* Until the agent ends. */
static void take_frames(struct tt_view *view, struct input *input)
{
    struct tt_flat_head head;
    bool bad = false;

    for (;;) {
        struct pollfd p = {.fd = input->fd, .events = POLLIN};
        const void *frame;
        bool news = false;

        while ((frame = next_frame(input, &head, &bad))) {
            tt_store_take(view->store, head.type, frame, head.size, tt_now_ns());
            news |= head.type == TT_FLAT_BATCH || head.type == TT_FLAT_USAGE;
        }
        if (bad)
            return;
        if (news)
            tt_httpd_wake(view->httpd);
        if (!poll(&p, 1, WAKE_MS)) { /* nothing comes: who listens is told that, too */
            tt_httpd_wake(view->httpd);
            continue;
        }
        if (!fill(input))
            return;
    }
}

static int run(struct tt_view *view)
{
    struct input input = {.fd = TT_VIEW_FD};
    struct tt_flat_head head;
    bool bad = false;
    const void *frame = wait_frame(&input, &head, &bad);
    int error = frame && head.type == TT_FLAT_CONFIG ? configure(view, frame, head.size) : -EBADMSG;

    if (!error)
        error = serve(view);
    if (!error)
        take_frames(view, &input);
    tt_httpd_free(&view->httpd);
    free(input.data);
    return error;
}

int tt_view_main(void)
{
    struct tt_view view = {.fd = TT_VIEW_FD};
    int error;

    /* It ends when the agent closes the socket, not by what a terminal or a supervisor sends to all. */
    signal(SIGINT, SIG_IGN);
    signal(SIGTERM, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    signal(SIGPIPE, SIG_IGN);
    prctl(PR_SET_NAME, "tt-page");
    if (fcntl(TT_VIEW_FD, F_GETFD) < 0 || fcntl(TT_VIEW_LISTENER, F_GETFD) < 0)
        return tt_err(2, "page-server is started by 'tangotrace run' and 'tangotrace replay --serve'");
    error = give_up_rights();
    if (error)
        return tt_err(1, "the page is not served: this process cannot give up its rights: %s",
                      strerror(-error));
    pthread_mutex_init(&view.lock, NULL);
    error = run(&view);
    tt_store_free(&view.store);
    free(view.token);
    free(view.host);
    free(view.recording);
    free(view.certificate);
    free(view.key);
    free(view.clients);
    pthread_mutex_destroy(&view.lock);
    return error ? tt_err(1, "the page is not served: %s", strerror(-error)) : 0;
}
