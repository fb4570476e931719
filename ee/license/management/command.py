"""`brokle license`: look at a license, or issue one with the vendor's private key."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any

import typer
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from brokle.kernel.clock import utc_now
from brokle.kernel.features import FEATURES
from brokle.kernel.ids import new_id
from brokle.settings.env import env
from ee.license.contracts import EVERY_ORGANIZATION, License, UnableToReadLicense
from ee.license.services.coding import encode
from ee.license.services.current import configured_text
from ee.license.services.keys import trusted_keys
from ee.license.services.token import issue, read_unverified, verify

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Look at this installation's license, or issue one.")

JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]


@app.command("inspect")
def inspect_license(
    file: Annotated[Path | None, typer.Argument(help="A license file; without it, the one configured here.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Tell what a license says and whether it counts here."""
    with _errors(as_json):
        text = _read(file) if file else configured_text(env)
        if not text:
            raise UnableToReadLicense("there is no license here; set BROKLE_LICENSE or BROKLE_LICENSE_FILE")
        told = _describe(text)
    _print(told, as_json)
    if not told["counts"]:
        raise typer.Exit(1)


@app.command("issue")
def issue_license(  # noqa: PLR0913, PLR0917 - one option for each field of a license
    key: Annotated[Path, typer.Option(help="Ed25519 private key, PEM (openssl genpkey -algorithm ed25519).")],
    kid: Annotated[str, typer.Option(help="The key's name, by which installations know its public half.")],
    org: Annotated[str, typer.Option(help="org_…, or * for every organization of an installation.")] = "*",
    plan: Annotated[str, typer.Option(help="The plan's name.")] = "enterprise",
    features: Annotated[str, typer.Option(help="Comma separated; all when not said.")] = ",".join(sorted(FEATURES)),
    limits: Annotated[list[str] | None, typer.Option("--limit", help="name=number, as often as needed.")] = None,
    days: Annotated[int, typer.Option(min=1, help="How long it runs.")] = 365,
    grace_days: Annotated[int, typer.Option(min=0, help="How long it still counts after that.")] = 14,
    as_json: JsonOption = False,
) -> None:
    """Sign a license with the vendor's private key."""
    with _errors(as_json):
        signer = _private_key(key)
        now = utc_now()
        made = License(
            v=1,
            kid=kid,
            id=new_id("lic"),
            org=_organization(org),
            plan=plan,
            features=_features(features),
            limits=_limits(limits or []),
            nbf=int(now.timestamp()),
            exp=int((now + timedelta(days=days)).timestamp()),
            grace_days=grace_days,
        )
        token = issue(made, signer)
    if as_json:
        public = f"{kid}:{encode(signer.public_key().public_bytes_raw())}"
        print(json.dumps({"license": token, "id": made.id, "public_key": public}))
    else:
        print(token)


def _describe(text: str) -> dict[str, Any]:
    license_ = read_unverified(text)
    state = license_.state(utc_now())
    told: dict[str, Any] = {
        "id": license_.id,
        "organization": "every" if license_.org == EVERY_ORGANIZATION else license_.org,
        "plan": license_.plan,
        "features": license_.features,
        "limits": license_.limits,
        "starts_at": license_.starts_at.isoformat(),
        "expires_at": license_.expires_at.isoformat(),
        "grace_days": license_.grace_days,
        "state": state,
        "key": license_.kid,
        "for_tests": False,
        "counts": False,
        "reason": "",
    }
    try:
        found = verify(text, trusted_keys(env.items("BROKLE_LICENSE_TEST_KEYS")))
    except UnableToReadLicense as error:
        return {**told, "reason": str(error)}
    counts = state in {"valid", "grace"}
    reason = "" if counts else "it has not begun yet" if state == "early" else "it has expired"
    return {**told, "for_tests": found.for_tests, "counts": counts, "reason": reason}


def _print(told: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print(json.dumps(told))
        return
    for name, value in told.items():
        shown = ", ".join(value) if isinstance(value, list) else value
        if isinstance(value, dict):
            shown = ", ".join(f"{limit}={number}" for limit, number in value.items())
        if shown != "":
            print(f"{name.replace('_', ' '):13} {'yes' if shown is True else 'no' if shown is False else shown}")


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError) as error:
        raise UnableToReadLicense(f"cannot read {path}: {error}") from None


def _private_key(path: Path) -> Ed25519PrivateKey:
    try:
        found = load_pem_private_key(path.read_bytes(), password=None)
    except (OSError, ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise UnableToReadLicense(f"cannot read the private key {path}: {error}") from None
    if not isinstance(found, Ed25519PrivateKey):
        raise UnableToReadLicense(f"{path} is not an Ed25519 key; make one with openssl genpkey -algorithm ed25519")
    return found


def _organization(org: str) -> str:
    if org == EVERY_ORGANIZATION or org.startswith("org_"):
        return org
    raise UnableToReadLicense(f"--org must be org_… or *, not {org!r}")


def _features(text: str) -> list[str]:
    named = sorted({part.strip() for part in text.split(",") if part.strip()})
    if unknown := [name for name in named if name not in FEATURES]:
        raise UnableToReadLicense(f"no such feature: {', '.join(unknown)}; there are {', '.join(sorted(FEATURES))}")
    return named


def _limits(pairs: list[str]) -> dict[str, int]:
    limits = {}
    for pair in pairs:
        name, _, number = pair.partition("=")
        if not name or not number.isdecimal():
            raise UnableToReadLicense(f"--limit takes name=number, not {pair!r}")
        limits[name] = int(number)
    return limits


@contextmanager
def _errors(as_json: bool) -> Iterator[None]:
    try:
        yield
    except UnableToReadLicense as error:
        if as_json:
            print(json.dumps({"error": str(error)}))
        print(f"brokle: {error}", file=sys.stderr)
        raise typer.Exit(1) from None
