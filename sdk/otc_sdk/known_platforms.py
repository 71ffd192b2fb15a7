"""The platforms that a person knows, in a file for each coordinator, as SSH keeps known hosts.

The file is OTC_PLATFORM, which nothing here writes, else one of the folder OTC_HOME (~/.otc).
"""

import json
import os
import secrets
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from urllib.parse import quote, urlsplit

from otc_sdk.deployment import escrow_address
from otc_sdk.errors import TermsError
from otc_sdk.keystore import write_private
from otc_sdk.platform import Platform, load

HOME = "OTC_HOME"
DEFAULT_HOME = "~/.otc"
PLATFORM = "OTC_PLATFORM"
MAX_FILE_BYTES = 1024 * 1024


def known(api_url: str, environ: Mapping[str, str] = os.environ) -> list[Platform]:
    """The platform of a coordinator as it is, then as it was; empty if it was never met.

    Raises TermsError if the file cannot be read: a damaged one must not look like a first use.
    """
    path = path_of(api_url, environ)
    try:
        with path.open(encoding="utf-8") as file:
            return load(file.read(MAX_FILE_BYTES))
    except FileNotFoundError:
        if environ.get(PLATFORM):
            raise TermsError(f"{PLATFORM} names no file: {path}") from None
        return []
    except (OSError, UnicodeDecodeError, TermsError) as error:
        raise TermsError(f"cannot read the known platform {path}: {error}") from error


def remember(api_url: str, platform: Platform, environ: Mapping[str, str] = os.environ) -> Path:
    """Write down what a coordinator is from now on; what it was stays for the orders of that time.

    Raises TermsError: another build's escrow, whose vaults could obey anybody; OTC_PLATFORM is set;
    the file cannot be written.
    """
    require_this_build(platform)
    path = path_of(api_url, environ)
    if environ.get(PLATFORM):
        raise TermsError(f"{PLATFORM} says which platform is trusted: change the file {path}")
    earlier = [one for one in known(api_url, environ) if one != platform]
    text = json.dumps([asdict(one) for one in (platform, *earlier)], indent=2) + "\n"
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_private(temporary, text)
        temporary.replace(path)
    except OSError as error:
        raise TermsError(f"cannot write {path}: {error.strerror}") from error
    finally:
        temporary.unlink(missing_ok=True)
    return path


def require_this_build(platform: Platform) -> None:
    """Raise TermsError unless the escrow is this build's, whose address follows from its code."""
    if platform.escrow != escrow_address():
        raise TermsError(f"refused: {platform.escrow} is not the trusted escrow {escrow_address()}")


def path_of(api_url: str, environ: Mapping[str, str] = os.environ) -> Path:
    """Where a coordinator's platform is written down, without its URL's user and password."""
    if environ.get(PLATFORM):
        return Path(environ[PLATFORM]).expanduser()
    parts = urlsplit(api_url)
    host = parts.netloc.rpartition("@")[2].lower()
    place = f"{parts.scheme}://{host}{parts.path}".rstrip("/")
    home = Path(environ.get(HOME) or DEFAULT_HOME).expanduser()
    return home / "platforms" / f"{quote(place, safe='')}.json"
