"""The line at the bottom: where, how large, on which device, and what is still to come."""

from PySide6.QtWidgets import QLabel, QProgressBar, QStatusBar, QWidget

from stainapp.ui.camera import Camera, magnification


class StatusLine:
    """Fills a status bar; each fact has its own place and keeps it."""

    def __init__(self, bar: QStatusBar, parent: QWidget) -> None:
        self._bar = bar
        self._most = 0
        self.position = QLabel("", parent)
        self.scale = QLabel("", parent)
        self.error = QLabel("", parent)
        self.error.setToolTip("How far off the reference may be at the cursor")
        self.hint = QLabel("", parent)
        self.hint.setObjectName("quiet")
        self.damage = QLabel("", parent)
        self.saving = QLabel("", parent)
        self.saving.setObjectName("quiet")
        self.tiles = QLabel("", parent)
        self.progress = QProgressBar(parent)
        self.progress.setTextVisible(False)
        self.progress.setFixedSize(90, 8)
        self.device = QLabel("", parent)
        self.position.setMinimumWidth(190)
        self.scale.setMinimumWidth(150)
        bar.addWidget(self.position)
        bar.addWidget(self.scale)
        bar.addWidget(self.error)
        bar.addWidget(self.hint, 1)
        for widget in (self.damage, self.tiles, self.progress, self.saving, self.device):
            bar.addPermanentWidget(widget)
        self.show_waiting(0)
        self.show_error("")

    def show_position(self, x: float, y: float, mpp: float | None) -> None:
        """Show where the cursor is: micrometres where the scale is known, else pixels."""
        if mpp is None:
            self.position.setText(f"{x:,.0f}, {y:,.0f} px")
        else:
            self.position.setText(f"{x * mpp:,.1f}, {y * mpp:,.1f} µm")

    def show_error(self, words: str) -> None:
        """Show the expected error of the registration at the cursor."""
        self.error.setText(words)
        self.error.setVisible(bool(words))

    def show_camera(self, camera: Camera, mpp: float | None, device_pixel_ratio: float) -> None:
        """Show the magnification on this screen and micrometres per screen pixel."""
        turned = f"  {camera.rotation % 360:.0f}°" if camera.rotation % 360 else ""
        if mpp is None:
            self.scale.setText(f"{100 * camera.zoom * device_pixel_ratio:.3g} % of pixels{turned}")
            return
        per_pixel = mpp / (camera.zoom * device_pixel_ratio)
        seen = magnification(camera, mpp, device_pixel_ratio)
        self.scale.setText(f"{seen:.3g}x   {per_pixel:.3g} µm/px{turned}")

    def show_waiting(self, tiles: int) -> None:
        """Show quietly how many tiles of the view are still to come."""
        self._most = max(self._most, tiles) if tiles else 0
        self.tiles.setText(f"{tiles} tiles" if tiles else "")
        self.progress.setVisible(tiles > 0)
        self.progress.setRange(0, max(1, self._most))
        self.progress.setValue(self._most - tiles)

    def show_damage(self, regions: int) -> None:
        words = "1 damaged region" if regions == 1 else f"{regions} damaged regions"
        self.damage.setText(f"⚠ {words}, hatched" if regions else "")

    def show_saving(self, words: str, more: str) -> None:
        """Say whether what was done is on the disk."""
        self.saving.setText(words)
        self.saving.setToolTip(more)

    def show_device(self, words: str) -> None:
        self.device.setText(words)

    def show_hint(self, words: str) -> None:
        self.hint.setText(words)
