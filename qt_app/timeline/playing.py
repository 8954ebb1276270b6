"""The timeline and the player, tied together."""

from __future__ import annotations

from qt_app.models.player import Player
from qt_app.timeline.model import TimelineModel


def connect_player(model: TimelineModel, player: Player) -> None:
    """Let the playhead follow the player, and the player the hand; both repeat the same range."""

    def show_loop() -> None:
        player.set_loop(model.loop_span)

    def take_loop(loop: object) -> None:
        # The player gives up a loop when another clip comes, or one that is too short to hear.
        if loop is None and model.loop:
            model.set_loop(False)

    player.position_changed.connect(model.set_playhead)
    model.scrubbed.connect(player.seek)
    model.loop_changed.connect(lambda _on: show_loop())
    model.range_changed.connect(lambda _range: show_loop() if model.loop else None)
    player.loop_changed.connect(take_loop)
