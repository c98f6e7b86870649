/* SPDX-License-Identifier: Apache-2.0 */
#include "peermend.h"

#include <errno.h>
#include <string.h>

#include "certificate.h"
#include "httpc.h"

/* curl and OpenSSL tell the reason in words only. */
static bool says(const Err *err, const char *words)
{
    return strcasestr(err->text, words) != NULL;
}

static char *their_certificate(const Err *err, const char *name, const char *url)
{
    AUTOFREE char *host = cert_host_of(url);
    if (says(err, "subject name") || says(err, "does not match"))
        return xasprintf(
            "siding cert issue %s --renew --address %s where the CA's key is, copy both files there, then "
            "systemctl reload siding-agent; or mend its url in agents of sidingd.conf",
            name, host ? host : "HOST");
    if (says(err, "expired"))
        return xasprintf("siding cert issue %s --renew where the CA's key is, copy both files there, then "
                         "systemctl reload "
                         "siding-agent",
                         name);
    if (says(err, "not yet valid"))
        return xstrdup("set the clocks of both hosts right");
    return xasprintf("its certificate and ca_file here belong to different CAs: have it issued by the "
                     "cluster's CA (siding "
                     "cert issue %s), or copy the ca.pem of that CA",
                     name);
}

static char *unreachable(const Err *err, const char *name, const char *url)
{
    if (err->code == ECONNREFUSED)
        return xasprintf(
            "start siding-agent on %s (systemctl start siding-agent; journalctl -u siding-agent tells why it "
            "does not run), or mend its url in agents of sidingd.conf",
            name);
    if (says(err, "resolve"))
        return xstrdup("mend its url in agents of sidingd.conf, or the name service of this host");
    return xasprintf("see whether the host of %s is up, and whether a firewall lets this host reach %s", name,
                     url);
}

char *peer_mend(const Err *err, const char *name, const char *url)
{
    switch (err->kind) {
    case ERR_UNREACHABLE:
        return unreachable(err, name, url);
    case ERR_AUTH:
        if (err->code == HTTPC_THEIR_CERTIFICATE)
            return their_certificate(err, name, url);
        return err->code == HTTPC_OUR_CERTIFICATE
                   ? xasprintf("sidingd --check-config here says what is wrong with our certificate; if "
                               "nothing, ca_file of "
                               "the agent on %s is of another CA: copy ca.pem there",
                               name)
                   : NULL;
    case ERR_TIMEOUT:
    case ERR_LOST:
        return xasprintf("look at the log of siding-agent on %s: journalctl -u siding-agent", name);
    default:
        return NULL;
    }
}
