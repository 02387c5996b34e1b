"""The choices of the window that a session remembers, and what tells that one was made."""

from collections.abc import Callable
from typing import Any

from PySide6.QtCore import QEvent, QObject

from stainapp.session.slide_place import SlidePlace
from stainapp.ui.camera import Camera
from stainapp.ui.current_slide import CurrentSlide
from stainapp.ui.main_window import LAYOUTS, MainWindow
from stainapp.ui.picture import Picture
from stainapp.ui.region_editor import RegionEditor
from stainapp.ui.stain_requests import StainRequests
from stainapp.ui.virtual_stain import VirtualStain
from stainapp.ui.window_session import SLIDE, Choice, WindowSession

RESHAPED = (QEvent.Type.Resize, QEvent.Type.Move, QEvent.Type.WindowStateChange)


class SessionChoices(QObject):
    """Adds the window's own choices to its session, and follows the parts that hold them."""

    def __init__(
        self,
        session: WindowSession,
        window: MainWindow,
        current: CurrentSlide,
        virtual: VirtualStain,
        stain: StainRequests,
        editor: RegionEditor,
    ) -> None:
        super().__init__(window)
        self._session, self._window, self._current = session, window, current
        self._virtual, self._stain, self._editor = virtual, stain, editor
        self._selected: tuple[str, ...] = ()
        view = window.view
        session.add(
            Choice(SLIDE, self._slide, _leave),
            Choice(
                "window", lambda: list(window.places()), lambda told: window.restore_places(*told)
            ),
            Choice("layout", lambda: window.layout_name, self._lay_out),
            Choice("fade", window.fade.value, window.fade.setValue),
            Choice("curtain", lambda: view.curtain, view.set_curtain),
            Choice("camera", self._camera, self._look, on_slide=True),
            Choice("strength", window.stains.strength.value, window.stains.strength.set_value),
            Choice("virtual", lambda: view.is_visible(Picture.VIRTUAL), self._switch("virtual")),
            Choice(
                "difference",
                lambda: view.is_visible(Picture.DIFFERENCE),
                self._switch("difference"),
            ),
            Choice("minimap", window.action("minimap").isChecked, self._switch("minimap")),
            Choice("scale-bar", window.action("scale-bar").isChecked, self._switch("scale-bar")),
            Choice("regions", lambda: editor.visible, editor.set_visible),
            Choice("selected", lambda: list(editor.selected), self._select, on_slide=True),
            Choice("model", self._model, self._start_model, on_slide=True),
        )
        self._follow()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() in RESHAPED:
            self._session.note()
        return super().eventFilter(watched, event)

    def _follow(self) -> None:
        window, note = self._window, self._session.note
        window.installEventFilter(self)
        window.view.viewpoint.changed.connect(note)
        window.view.curtain_moved.connect(note)
        window.fade.valueChanged.connect(note)
        window.stains.strength.changed.connect(note)
        for name in ("virtual", "difference", "minimap", "scale-bar", *LAYOUTS):
            window.action(name).toggled.connect(note)
        self._current.noted.connect(note)
        self._virtual.shown.connect(note)
        self._editor.selection_changed.connect(note)
        self._editor.visibility_changed.connect(note)
        self._editor.shown.connect(self._on_regions)

    def _switch(self, name: str) -> Callable[[bool], None]:
        """Return what sets a switch of the menu, as a click on it would."""

        def switch(on: bool) -> None:
            action = self._window.action(name)
            if action.isChecked() != bool(on):
                action.trigger()

        return switch

    def _slide(self) -> dict[str, Any] | None:
        slide = self._current.slide
        if slide is None:
            return None
        info = slide.reader.info
        return SlidePlace(slide.address, info.identity, info.mpp).as_json()

    def _lay_out(self, name: str) -> None:
        if name in LAYOUTS:
            self._window.show_layout(name)

    def _camera(self) -> list[float]:
        camera = self._window.view.viewpoint.camera
        return [camera.x, camera.y, camera.zoom, camera.rotation]

    def _look(self, told: list[float]) -> None:
        self._window.view.viewpoint.move(Camera(*map(float, told)))

    def _select(self, ids: list[str]) -> None:
        self._selected = tuple(ids)  # the slide's regions are still on their way
        self._on_regions()

    def _on_regions(self) -> None:
        if self._selected and self._editor.regions.regions:
            self._editor.select(self._selected)
            self._selected = ()

    def _model(self) -> dict[str, str]:
        entry, template = self._virtual.entry, self._virtual.template
        if entry is None or self._virtual.shows_training:
            return {}
        return {"id": entry.found.card.id, "template": str(template or "")}

    def _start_model(self, told: dict[str, str]) -> None:
        if told.get("id"):
            self._stain.start_model(told["id"], told.get("template") or None)


def _leave(_: object) -> None:
    """A slide is taken up by opening it, before all else."""
