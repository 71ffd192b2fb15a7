"""The stack's own keystores, made at the first start."""

import os
import secrets
from pathlib import Path

from eth_account.signers.local import LocalAccount
from otc_sdk.keystore import LIGHT_SCRYPT_N, PASSWORD_FILE, create, load_account

PASSWORD_BYTES = 24


class Accounts:
    """Keystores in a folder, all with the one password that lies beside them (mode 0600).

    Good for a local chain and for a first try on a testnet; in production each process has its own
    machine, keystore and password, or a remote signer.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.password_file = folder / "password"

    def path(self, name: str) -> Path:
        return self.folder / f"{name}.json"

    def load(self, name: str) -> LocalAccount:
        """The account of that name, made if there is none. Raises KeystoreError."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not self.password_file.exists():
            handle = os.open(self.password_file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(handle, "w") as file:
                file.write(secrets.token_urlsafe(PASSWORD_BYTES))
        path = self.path(name)
        if not path.exists():
            create(path, self.password_file.read_text(), LIGHT_SCRYPT_N)
        return load_account(path, environ={PASSWORD_FILE: str(self.password_file)})
