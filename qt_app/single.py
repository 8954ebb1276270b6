"""One window per user: a second start hands its files to the first and ends."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from PyQt6.QtCore import QLockFile, QObject, pyqtSignal
from PyQt6.QtNetwork import QLocalServer, QLocalSocket

ANSWER_MS = 1000


class SingleInstance(QObject):
    """Who may open the window on this user's folder.

    Parameters
    ----------
    folder
        The user's data folder: the lock lies in it, the socket is named after it.

    Signals
    -------
    asked(list)
        Another start handed over these paths (texts, maybe none) and wants the window in front.
    """

    asked = pyqtSignal(list)

    def __init__(self, folder: Path, parent: QObject | None = None) -> None:
        super().__init__(parent)
        folder.mkdir(parents=True, exist_ok=True)
        self._lock = QLockFile(str(folder / "app.lock"))
        # A lock whose process is gone is taken over at once, whatever its age.
        self._lock.setStaleLockTime(0)
        self._name = "omniaudio-" + hashlib.sha256(str(folder).encode()).hexdigest()[:16]
        self._server = QLocalServer(self)
        self._server.newConnection.connect(self._hear)

    def claim(self) -> bool:
        """Become the one; False where another process already is."""
        if not self._lock.tryLock(0):
            return False
        QLocalServer.removeServer(self._name)
        self._server.setSocketOptions(QLocalServer.SocketOption.UserAccessOption)
        self._server.listen(self._name)
        return True

    def hand_over(self, paths: list[str]) -> bool:
        """Give the paths to the window that is open; False where it does not answer."""
        socket = QLocalSocket()
        socket.connectToServer(self._name)
        if not socket.waitForConnected(ANSWER_MS):
            return False
        socket.write(json.dumps([str(Path(path).resolve()) for path in paths]).encode() + b"\n")
        written = socket.waitForBytesWritten(ANSWER_MS)
        socket.disconnectFromServer()
        return bool(written)

    def release(self) -> None:
        """Let the next start be the one."""
        self._server.close()
        self._lock.unlock()

    def _hear(self) -> None:
        while (socket := self._server.nextPendingConnection()) is not None:
            socket.readyRead.connect(lambda socket=socket: self._read(socket))
            socket.disconnected.connect(socket.deleteLater)

    def _read(self, socket: QLocalSocket) -> None:
        if not socket.canReadLine():
            return
        try:
            paths = json.loads(bytes(socket.readLine().data()))
        except ValueError:
            return
        if isinstance(paths, list):
            self.asked.emit([path for path in paths if isinstance(path, str)])
