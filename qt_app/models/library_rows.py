"""The rows of the library as Qt's views see them: roles, order, drag and drop."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from PyQt6.QtCore import QAbstractListModel, QMimeData, QModelIndex, QObject, Qt, QTimer, QUrl

from qt_app.models.clip import Clip

ID_ROLE = Qt.ItemDataRole.UserRole + 1
CLIP_ROLE = Qt.ItemDataRole.UserRole + 2
CLIPS_MIME = "application/x-omniaudio-clips"  # a JSON list of ids
_ROW = QModelIndex()
REPAINT_MS = 40


class LibraryRows(QAbstractListModel):
    """Clips in order, each found by its id without a search."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.clips: list[Clip] = []
        self._by_id: dict[int, Clip] = {}
        self._rows: dict[int, int] = {}
        self._stale: set[int] = set()
        self._repaint = QTimer(self)
        self._repaint.setSingleShot(True)
        self._repaint.setInterval(REPAINT_MS)
        self._repaint.timeout.connect(self._tell_views)

    # What is there ---------------------------------------------------------------------------

    def find(self, number: int) -> Clip | None:
        """The clip of an id, None where there is none."""
        return self._by_id.get(number)

    def clip(self, number: int) -> Clip:
        """The clip of an id; KeyError where there is none."""
        return self._by_id[number]

    def row(self, number: int) -> int:
        """The row of an id; KeyError where there is none."""
        if not self._rows:
            self._rows = {clip.id: row for row, clip in enumerate(self.clips)}
        return self._rows[number]

    def index_of(self, number: int) -> QModelIndex:
        """The model index of an id, invalid where there is none."""
        return self.index(self.row(number)) if number in self._by_id else QModelIndex()

    # Changes ---------------------------------------------------------------------------------

    def _insert(self, row: int, clips: Sequence[Clip]) -> None:
        if not clips:
            return
        self.beginInsertRows(QModelIndex(), row, row + len(clips) - 1)
        self.clips[row:row] = clips
        self._by_id.update((clip.id, clip) for clip in clips)
        self._rows = {}
        self.endInsertRows()

    def _remove(self, ids: set[int]) -> None:
        """Take rows out, neighbours together."""
        rows = sorted((self.row(number) for number in ids if number in self._by_id), reverse=True)
        while rows:
            last = first = rows.pop(0)
            while rows and rows[0] == first - 1:
                first = rows.pop(0)
            self.beginRemoveRows(QModelIndex(), first, last)
            for clip in self.clips[first : last + 1]:
                del self._by_id[clip.id]
            del self.clips[first : last + 1]
            self._rows = {}
            self.endRemoveRows()

    def _move(self, ids: set[int], row: int) -> None:
        """Put clips before ``row``; one change of layout, however many there are."""
        before = [clip for clip in self.clips[:row] if clip.id not in ids]
        moved = [clip for clip in self.clips if clip.id in ids]
        after = [clip for clip in self.clips[row:] if clip.id not in ids]
        self.layoutAboutToBeChanged.emit()
        old = self.persistentIndexList()
        numbers = [self.clips[index.row()].id for index in old]
        self.clips[:] = before + moved + after
        self._rows = {}
        self.changePersistentIndexList(old, [self.index_of(number) for number in numbers])
        self.layoutChanged.emit()

    def _refresh(self, ids: Iterable[int]) -> None:
        """Tell the views soon: they lay all rows out again at every dataChanged."""
        self._stale.update(ids)
        if self._stale and not self._repaint.isActive():
            self._repaint.start()

    def _tell_views(self) -> None:
        """One dataChanged over all rows that have changed."""
        rows = [self.row(number) for number in self._stale if number in self._by_id]
        self._stale.clear()
        if rows:
            self.dataChanged.emit(self.index(min(rows)), self.index(max(rows)))

    # Qt's questions --------------------------------------------------------------------------

    def rowCount(self, parent: QModelIndex = _ROW) -> int:
        """Clips; none below a clip."""
        return 0 if parent.isValid() else len(self.clips)

    def data(self, index: QModelIndex, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Name, explanation and the clip itself."""
        if not index.isValid() or not 0 <= index.row() < len(self.clips):
            return None
        clip = self.clips[index.row()]
        if role == Qt.ItemDataRole.DisplayRole:
            return clip.name
        if role == ID_ROLE:
            return clip.id
        if role == CLIP_ROLE:
            return clip
        if role == Qt.ItemDataRole.ToolTipRole:
            return "\n".join(
                [str(clip.path), *facts(clip), *([clip.problem] if clip.problem else [])]
            )
        if role == Qt.ItemDataRole.AccessibleTextRole:
            return ", ".join([clip.name, *facts(clip), *([clip.problem] if clip.problem else [])])
        return None

    def flags(self, index: QModelIndex) -> Qt.ItemFlag:
        """Clips can be dragged; things are dropped between them."""
        flag = Qt.ItemFlag
        if not index.isValid():
            return flag.ItemIsDropEnabled
        return (
            flag.ItemIsEnabled
            | flag.ItemIsSelectable
            | flag.ItemIsDragEnabled
            | flag.ItemNeverHasChildren
        )

    def supportedDropActions(self) -> Qt.DropAction:
        """Files are copied into the list, clips moved in it."""
        return Qt.DropAction.CopyAction | Qt.DropAction.MoveAction

    def supportedDragActions(self) -> Qt.DropAction:
        """Moved within the list; elsewhere a file is never moved away by a drag from here."""
        return Qt.DropAction.CopyAction | Qt.DropAction.MoveAction

    def mimeTypes(self) -> list[str]:
        """Clips of this list, files of other programs."""
        return [CLIPS_MIME, "text/uri-list"]

    def mimeData(self, indexes: Iterable[QModelIndex]) -> QMimeData:
        """The clips for this list and other panels, the files for other programs."""
        clips = [self.clips[index.row()] for index in sorted(indexes, key=QModelIndex.row)]
        data = QMimeData()
        data.setData(CLIPS_MIME, json.dumps([clip.id for clip in clips]).encode())
        data.setUrls([QUrl.fromLocalFile(str(clip.path)) for clip in clips])
        return data

    def canDropMimeData(
        self,
        data: QMimeData | None,
        action: Qt.DropAction,
        row: int,
        column: int,
        parent: QModelIndex,
    ) -> bool:
        """Clips of this list, or files and folders of this machine."""
        return data is not None and (data.hasFormat(CLIPS_MIME) or bool(local_paths(data)))

    def dropMimeData(
        self,
        data: QMimeData | None,
        action: Qt.DropAction,
        row: int,
        column: int,
        parent: QModelIndex,
    ) -> bool:
        """Move clips to the place, or add files there."""
        if data is None:
            return False
        if row < 0:
            row = parent.row() if parent.isValid() else len(self.clips)
        if data.hasFormat(CLIPS_MIME):
            self.move(_ids(data), row)
            return True
        paths = local_paths(data)
        self.add(paths, None if row >= len(self.clips) else row)
        return bool(paths)

    def add(self, paths: Iterable[Path | str], row: int | None = None) -> None:
        """Add files and folders before ``row``, at the end where None."""
        raise NotImplementedError

    def move(self, ids: Iterable[int], row: int) -> None:
        """Put clips before ``row``, in the order they have."""
        raise NotImplementedError


def local_paths(data: QMimeData) -> list[Path]:
    """Files and folders of this machine in what is dragged."""
    return [Path(url.toLocalFile()) for url in data.urls() if url.isLocalFile()]


def _ids(data: QMimeData) -> list[int]:
    try:
        found = json.loads(data.data(CLIPS_MIME).data())
    except ValueError:
        return []
    return [number for number in found if type(number) is int] if isinstance(found, list) else []


def facts(clip: Clip) -> list[str]:
    """Length, picture and sound of a clip in words; none where it was not looked at."""
    info = clip.info
    if info is None:
        return []
    lines = [time_text(info["duration"]), f"{info['width']} × {info['height']}"]
    projection = PROJECTION_NAMES.get(info["projection"], info["projection"])
    if info["stereo"] != "mono":
        projection += f", stereo {STEREO_NAMES.get(info['stereo'], info['stereo'])}"
    lines.append(projection)
    sound = info.get("audio")
    if sound is None:
        lines.append("no sound")
    elif sound.get("ambisonic"):
        lines.append("ambisonic sound")
    else:
        lines.append({1: "mono sound", 2: "stereo sound"}.get(sound.get("channels"), "sound"))
    return lines


PROJECTION_NAMES = {
    "auto": "Automatic",
    "equirectangular": "equirectangular",
    "eac": "EAC",
    "cubemap": "cube map",
    "dual-fisheye": "dual fisheye",
    "flat": "flat",
}
STEREO_NAMES = {
    "auto": "Automatic",
    "mono": "mono",
    "top-bottom": "top and bottom",
    "left-right": "side by side",
}


def time_text(seconds: float) -> str:
    """4:05 or 1:04:05; below a minute with tenths, 0:09.5."""
    if seconds < 60:
        tenths = int(seconds * 10 + 1e-6)
        return f"0:{tenths // 10:02d}.{tenths % 10}"
    whole = int(seconds + 1e-6)
    hours, minutes = divmod(whole // 60, 60)
    return f"{hours}:{minutes:02d}:{whole % 60:02d}" if hours else f"{minutes}:{whole % 60:02d}"
