"""What SDK programs find under HOME (`sdk_config.ini`, certificates); the ground-truth channel's address."""

import configparser
import contextlib
import json
import os
import socket
from pathlib import Path
from typing import Annotated, TypedDict

from msgspec import Meta

from vector_tl.errors import UserError
from vector_tl.files import read_json, write_atomic
from vector_tl.forms import Count
from vector_tl.sim.engine.identity import Identity
from vector_tl.system import homes

CONNECT_S = 1.0  # to a port of the same computer


class _Door(TypedDict):
    pid: Count
    port: Annotated[int, Meta(ge=1, le=65535)]


class SdkHome:
    """The folder that SDK programs get as HOME: never the user's own, nor that of a running simulator.

    Raises:
        UserError: the home belongs to somebody else, or cannot be a folder.
    """

    def __init__(self, home: Path):
        self.home = _expanded(Path(home))
        self.folder = self.home / ".anki_vector"
        self.ini = self.folder / "sdk_config.ini"
        self.door = self.home / "truth.json"
        self._written: dict[Path, bytes] = {}
        self._refuse_a_real_one()
        self._refuse_a_running_one()
        try:
            self.home.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UserError(
                f"{self.home} cannot be the simulator's folder ({error.strerror}); "
                "choose another one with --home."
            ) from None

    def _refuse_a_real_one(self) -> None:
        own = homes()
        if self.home.resolve() in own or self.folder.resolve() in {place / ".anki_vector" for place in own}:
            raise UserError(
                f"{self.home} is your own home, whose robot settings the simulator must not touch; "
                "choose another folder with --home."
            )
        ini = configparser.ConfigParser(strict=False, interpolation=None)
        try:
            ini.read(self.ini)
        except (OSError, UnicodeDecodeError, configparser.Error):
            raise UserError(
                f"{self.ini} was not written by the simulator, so it stays as it is; "
                "choose another folder with --home."
            ) from None
        real = [name for name in ini.sections() if ini.get(name, "ip", fallback="") != "127.0.0.1"]
        if real:
            raise UserError(
                f"{self.ini} holds the settings of a robot ({real[0]}), so it stays as it is; "
                "choose another folder with --home."
            )

    def _refuse_a_running_one(self) -> None:
        try:
            door = read_json(self.door, form=_Door)
        except UserError:
            return  # no simulator's
        if door is None:
            return
        pid, port = door["pid"], door["port"]
        if pid != os.getpid() and _alive(pid) and _accepts(port):  # the files of a killed one are taken over
            raise UserError(
                f"A simulator (process {pid}) runs with the home {self.home} already; "
                "end it, or choose another folder with --home."
            )

    def write(self, robots: list[tuple[Identity, int]], truth: dict) -> None:
        """Write certificates, sdk_config.ini (a section per robot) and truth.json, all for the user alone.

        Args:
            robots: each robot and its port.
            truth: the content of truth.json.

        Raises:
            UserError: they cannot be written, or another simulator was faster.
        """
        self._refuse_a_running_one()
        ini = configparser.ConfigParser(interpolation=None)
        for robot, port in robots:
            certificate = (self.folder / f"{robot.name}-{robot.serial}.cert").resolve()
            self._write(certificate, robot.certificate)
            ini[robot.serial] = {
                "cert": str(certificate),
                "ip": "127.0.0.1",
                "name": robot.name,
                "guid": robot.guid,
                "port": str(port),
            }
        self._write(self.ini, _ini_text(ini))
        self._write(self.door, json.dumps(truth) + "\n")

    def _write(self, path: Path, data: bytes | str) -> None:
        write_atomic(path, data, private=True)
        self._written[path] = data.encode() if isinstance(data, str) else data

    def remove(self) -> None:
        """Remove what was written and has not changed since: nobody answers there any more."""
        for path, data in self._written.items():
            with contextlib.suppress(OSError):
                if path.read_bytes() == data:
                    path.unlink()
        with contextlib.suppress(OSError):  # not there, or with somebody else's things in it
            self.folder.rmdir()


def _expanded(home: Path) -> Path:
    """The path without `~`."""
    try:
        return home.expanduser()
    except RuntimeError:
        raise UserError(
            f"There is no user whose home {home} could be; write the whole path after --home."
        ) from None


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        pass  # somebody else's, but alive
    return True


def _accepts(port: int) -> bool:
    """Whether a program takes connections at that port of this computer."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=CONNECT_S).close()
    except (OSError, OverflowError):
        return False
    return True


def _ini_text(ini: configparser.ConfigParser) -> str:
    return "".join(
        f"[{name}]\n" + "".join(f"{key} = {value}\n" for key, value in ini[name].items()) + "\n"
        for name in ini.sections()
    )
