import ssl
from functools import lru_cache

import certifi


@lru_cache(maxsize=1)
def client_context() -> ssl.SSLContext:
    """The system's certificates (SSL_CERT_FILE is honored) beside Mozilla's; names are always checked."""
    context = ssl.create_default_context()
    context.load_verify_locations(certifi.where())
    return ready(context)


def ready(context: ssl.SSLContext) -> ssl.SSLContext:
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    return context
