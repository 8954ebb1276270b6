"""Show a file in the system's file manager, selected where that can be done."""

from __future__ import annotations

import sys
from pathlib import Path

from PyQt6.QtCore import QObject, QProcess, QStandardPaths, QUrl
from PyQt6.QtGui import QDesktopServices


def reveal(path: Path, parent: QObject | None = None) -> None:
    """Show a file in its folder, without waiting for the file manager.

    Parameters
    ----------
    parent
        Lives at least until the file manager has answered.
    """
    if sys.platform == "win32":
        QProcess.startDetached("explorer", [f"/select,{path}"])
    elif sys.platform == "darwin":
        QProcess.startDetached("open", ["-R", str(path)])
    elif not (path.exists() and _ask_file_manager(path, parent)):
        open_folder(path.parent)


def open_folder(folder: Path) -> None:
    """Open a folder in the file manager."""
    QDesktopServices.openUrl(QUrl.fromLocalFile(str(folder)))


def _ask_file_manager(path: Path, parent: QObject | None) -> bool:
    """Ask over D-Bus (freedesktop.org, "File manager D-Bus interface"); else the folder opens."""
    sender = QStandardPaths.findExecutable("dbus-send")
    if not sender:
        return False
    process = QProcess(parent)

    def ended(code: int) -> None:
        if code != 0:
            open_folder(path.parent)
        process.deleteLater()

    process.finished.connect(ended)
    process.start(
        sender,
        [
            "--session",
            "--print-reply",
            "--reply-timeout=2000",
            "--dest=org.freedesktop.FileManager1",
            "--type=method_call",
            "/org/freedesktop/FileManager1",
            "org.freedesktop.FileManager1.ShowItems",
            f"array:string:{bytes(QUrl.fromLocalFile(str(path)).toEncoded().data()).decode()}",
            "string:",
        ],
    )
    return True
