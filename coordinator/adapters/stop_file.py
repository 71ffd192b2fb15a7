"""A file whose presence stops the co-signer of this machine; its first line says why."""

from pathlib import Path

MAX_WHY_BYTES = 200


class StopFile:
    def __init__(self, path: Path | None) -> None:
        self.path = path

    def why(self) -> str | None:
        """None if there is no such file. One that cannot be read stops, too: better safe."""
        if self.path is None:
            return None
        try:
            with self.path.open("rb") as file:
                head = file.read(MAX_WHY_BYTES)
        except FileNotFoundError:
            return None
        except OSError as error:
            return f"{self.path} cannot be read: {error.strerror}"
        line = head.decode("utf-8", "replace").partition("\n")[0].strip()
        printable = "".join(c for c in line if c.isprintable())
        return printable or f"{self.path} is there"
