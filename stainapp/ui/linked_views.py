"""Two views of two slides that move as one, each showing what the other shows of its own slide."""

from dataclasses import replace
from math import atan2, degrees

import numpy as np
from PySide6.QtCore import QObject

from stainapp.registration.grid import Points
from stainapp.registration.pair_residuals import scale_of
from stainapp.registration.transform import Matrix, Transform, inverse_of
from stainapp.ui.camera import Camera, Viewpoint


class LinkedViews(QObject):
    """Moves the other viewpoint whenever one is moved, as long as there is a transform."""

    def __init__(self, fixed: Viewpoint, moving: Viewpoint, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._fixed, self._moving = fixed, moving
        self._transform: Transform | None = None
        self._following = False
        fixed.changed.connect(self._on_fixed)
        moving.changed.connect(self._on_moving)

    def set_transform(self, transform: Transform | None) -> None:
        """Link by this map, the moving view coming to the fixed one; None lets them go."""
        self._transform = transform
        self._on_fixed(self._fixed.camera)

    def _on_fixed(self, camera: Camera) -> None:
        if self._transform is not None:
            self._follow(self._moving, camera_on_moving(self._transform, camera))

    def _on_moving(self, camera: Camera) -> None:
        if self._transform is not None:
            self._follow(self._fixed, camera_on_fixed(self._transform, camera))

    def _follow(self, viewpoint: Viewpoint, camera: Camera) -> None:
        if not self._following:  # else the one that follows would be followed
            self._following = True
            viewpoint.move(camera)
            self._following = False


def camera_on_moving(transform: Transform, camera: Camera) -> Camera:
    """Return the camera that shows of the moving slide what ``camera`` shows of the fixed one."""
    at = np.array([[camera.x, camera.y]])
    matrix = transform.pieces[int(transform.fixed_piece(at)[0])]
    return _through(matrix, transform.to_moving(at), camera)


def camera_on_fixed(transform: Transform, camera: Camera) -> Camera:
    """Return the camera that shows of the fixed slide what ``camera`` shows of the moving one."""
    at = np.array([[camera.x, camera.y]])
    matrix = transform.pieces[int(transform.moving_piece(at)[0])]
    return _through(inverse_of(matrix), transform.to_fixed(at), camera)


def _through(matrix: Matrix, centre: Points, camera: Camera) -> Camera:
    """Put the centre there, and take the map's turn and scale off the picture.

    A mirrored slide cannot be shown upright by turning it; its x axis is then the one that fits.
    """
    turn = degrees(atan2(matrix[1, 0], matrix[0, 0]))
    x, y = centre[0].tolist()
    return replace(
        camera,
        x=x,
        y=y,
        zoom=camera.zoom / scale_of(matrix),
        rotation=(camera.rotation - turn) % 360,
    )
