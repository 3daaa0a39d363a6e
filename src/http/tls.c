/* SPDX-License-Identifier: GPL-2.0-only */
#include "http/tls.h"

#include <errno.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <microhttpd.h>
#include <string.h>

#include "base/cleanup.h"
#include "http/httpd.h"

static gnutls_session_t session_of(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection,
                                                                   MHD_CONNECTION_INFO_GNUTLS_SESSION);

    return info ? info->tls_session : NULL;
}

void tt_tls_demand(struct MHD_Connection *connection)
{
    /* Of the library's memory: the session reads it in the handshake. */
    static gnutls_typed_vdata_st purpose = {
        .type = GNUTLS_DT_KEY_PURPOSE_OID, .data = (unsigned char *)GNUTLS_KP_TLS_WWW_CLIENT, .size = 0};
    gnutls_session_t session = session_of(connection);

    if (!session)
        return;
    gnutls_certificate_server_set_request(session, GNUTLS_CERT_REQUIRE);
    gnutls_session_set_verify_cert2(session, &purpose, 1, 0);
}

bool tt_tls_is_known(struct MHD_Connection *connection)
{
    gnutls_session_t session = session_of(connection);

    /* Not 0 as well where nothing was verified. */
    return session && !gnutls_session_get_verify_cert_status(session);
}

static gnutls_datum_t datum(const char *text)
{
    return (gnutls_datum_t){.data = (unsigned char *)(uintptr_t)text, .size = (unsigned)strlen(text)};
}

static void free_credentials(gnutls_certificate_credentials_t *credentials)
{
    if (*credentials)
        gnutls_certificate_free_credentials(*credentials);
}

int tt_httpd_tls_check(const struct tt_httpd_tls *tls, char **error)
{
    _cleanup_(free_credentials) gnutls_certificate_credentials_t credentials = NULL;
    gnutls_datum_t certificate = datum(tls->certificate), key = datum(tls->key);
    int result = gnutls_certificate_allocate_credentials(&credentials);

    *error = NULL;
    if (result)
        return -ENOMEM;
    result = gnutls_certificate_set_x509_key_mem(credentials, &certificate, &key, GNUTLS_X509_FMT_PEM);
    if (result < 0) {
        *error = tt_format("certificate and key: %s", gnutls_strerror(result));
        return *error ? -EINVAL : -ENOMEM;
    }
    if (tls->clients) {
        gnutls_datum_t clients = datum(tls->clients);

        result = gnutls_certificate_set_x509_trust_mem(credentials, &clients, GNUTLS_X509_FMT_PEM);
        if (result <= 0) {
            *error = tt_format("certificates that sign those of clients: %s",
                               result ? gnutls_strerror(result) : "there is none");
            return *error ? -EINVAL : -ENOMEM;
        }
    }
    return 0;
}
