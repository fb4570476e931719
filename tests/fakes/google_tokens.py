"""Google's token service in small: a token for whoever signs with the key it knows, judged by Google's own library."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import parse_qs

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from google.auth import jwt

from tests.fakes.model_provider import Call, Handler, Provider, served

SCOPE = "https://www.googleapis.com/auth/cloud-platform"
GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
# Tests choose the time of day themselves.
_ANY_TIME = 10**10


class _Handler(Handler):
    public_key: bytes

    def do_POST(self) -> None:  # noqa: N802 - http.server's name
        raw = self.everything()
        form = {name: values[0] for name, values in parse_qs(raw.decode()).items()}
        self.provider.calls.append(Call(self.path, {}, form, raw))
        try:
            claims = jwt.decode(form["assertion"], self.public_key, True, self.provider.url, _ANY_TIME)
        except ValueError as error:
            self.answer(400, json.dumps({"error": "invalid_grant", "error_description": str(error)[:60]}).encode())
            return
        if claims["scope"] != SCOPE or form["grant_type"] != GRANT:
            self.answer(400, b'{"error": "invalid_scope"}')
            return
        token = {"access_token": f"token-{len(self.provider.calls)}", "expires_in": 3600, "token_type": "Bearer"}
        self.answer(200, json.dumps(token).encode())


@contextmanager
def token_service() -> Iterator[tuple[Provider, str]]:
    """With a key file as Google's console gives it. The number of the call is part of its token."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    facts = {"type": "service_account", "project_id": "p1", "private_key_id": "k1", "private_key": private}
    with served(type("Known", (_Handler,), {"public_key": public}), "/token") as found:
        yield found, json.dumps(facts | {"client_email": "svc@p1.example", "token_uri": found.url})
