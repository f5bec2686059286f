"""Motion of drawn people (walking, pausing, turning) and of the camera (panning, shaking).

World coordinates are pixels at zoom 1: x to the right, y down, (0, 0) at the top left of the picture's first place.
"""
from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .people import Person, body_points, sample_angles, sample_appearance, seen_by_viewer

WALK_SPEED = (0.035, 0.075)  # statures a frame: 1 to 2 m/s at 15 frames a second
STRIDE = 0.9  # statures that one cycle of both legs goes
INERTIA = 0.75  # of speed and direction from frame to frame
CHANGE_CHANCE = 0.02  # a frame, of stopping, going on or turning round
WALKING_YAW = 75.0  # degrees: seen nearly from the side
OUTSIDE = 0.12  # of the picture's width: how far out of it people go before they turn round


@dataclass
class Walker:
    """Someone who walks through the world. `step` moves on by a frame, `person` says how they look now."""

    rng: np.random.Generator
    x: float
    ground: float
    stature: float
    width: float  # of the picture
    direction: float = 1.0
    speed: float = field(default=0.0, init=False)
    phase: float = field(default=0.0, init=False)

    def __post_init__(self) -> None:
        self.look, self.style = sample_appearance(self.rng), sample_angles(self.rng, 0.12)
        self.pace = self.rng.uniform(*WALK_SPEED) * self.stature
        self.wanted = self.direction * self.pace
        self.speed, self.phase = self.wanted, self.rng.uniform(0, 2 * np.pi)
        self.yaw = self.direction * WALKING_YAW
        self.idle_yaw = self.rng.uniform(-30, 30)

    def step(self) -> None:
        """Goes on by a frame: now and then stops, goes on or turns round; always turns round far outside."""
        if self.rng.random() < CHANGE_CHANCE:
            self.wanted = float(self.rng.choice([-1.0, 0.0, 1.0])) * self.pace
        if self.x < -OUTSIDE * self.width:
            self.wanted = self.pace
        elif self.x > (1 + OUTSIDE) * self.width:
            self.wanted = -self.pace
        self.speed = INERTIA * self.speed + (1 - INERTIA) * self.wanted
        self.x += self.speed
        self.phase += 2 * np.pi * abs(self.speed) / (STRIDE * self.stature)
        aim = np.sign(self.wanted) * WALKING_YAW if self.wanted else self.idle_yaw
        self.yaw = INERTIA * self.yaw + (1 - INERTIA) * aim

    def person(self, camera: Camera) -> Person:
        """The Person of this frame as a Camera sees it, in picture pixels."""
        angles = self._angles()
        seen = seen_by_viewer(body_points(angles), angles)
        feet = seen[[0, 5, 16, 17], 1].max()  # of ankles and toes
        world = seen[:, :2] * self.stature + (self.x, self.ground - feet * self.stature)
        return Person(
            camera.pixels(world), seen[:, 2], self.stature * camera.zoom, float(angles["yaw"]), self.look
        )

    def _angles(self) -> dict[str, Any]:
        share = min(1.0, abs(self.speed) / max(self.pace, 1e-6))
        swing = np.array([np.sin(self.phase), -np.sin(self.phase)])  # of the right leg and the left
        lift = np.array([np.sin(self.phase + 1.3), -np.sin(self.phase + 1.3)])
        angles = {name: np.copy(value) for name, value in self.style.items()}
        angles["leg_forward"] = np.deg2rad(28) * share * swing
        angles["knee_bend"] = np.deg2rad(6) + np.deg2rad(38) * share * np.maximum(lift, 0)
        angles["arm_forward"] = -np.deg2rad(30) * share * swing
        angles["elbow_bend"] = np.deg2rad([18, 18]) + np.deg2rad(10) * share * np.maximum(-swing, 0)
        angles["elbow_turn"] = np.deg2rad([90, 90])
        angles["leg_out"] = np.full(2, np.deg2rad(4))
        angles["yaw"] = np.deg2rad(self.yaw)
        return angles


@dataclass
class Camera:
    """A camera that pans, zooms a little and shakes; `step` moves it by a frame.

    size: (width, height) of the picture; pan: pixels to either side; period: frames that it takes to come back;
    shake: pixels.
    """

    rng: np.random.Generator
    size: tuple
    pan: float
    period: float
    shake: float
    zoom_change: float = 0.05

    def __post_init__(self) -> None:
        self.start, self.number = self.rng.uniform(0, 2 * np.pi), 0
        self.tremble = np.zeros(2)
        self._place()

    def step(self) -> None:
        """Goes on by a frame."""
        self.number += 1
        self.tremble = 0.8 * self.tremble + self.rng.normal(0, self.shake, 2)
        self._place()

    def pixels(self, world: np.ndarray) -> np.ndarray:
        """World points (..., 2) in picture pixels."""
        return (world - self.middle) * self.zoom + np.array(self.size) / 2

    @property
    def matrix(self) -> np.ndarray:
        """(2, 3): what `pixels` does."""
        shift = np.array(self.size) / 2 - self.middle * self.zoom
        return np.array([[self.zoom, 0, shift[0]], [0, self.zoom, shift[1]]])

    def _place(self) -> None:
        angle = self.start + 2 * np.pi * self.number / self.period
        self.zoom = 1 + self.zoom_change * np.sin(1.7 * angle)
        self.middle = np.array(self.size) / 2 + (self.pan * np.sin(angle), 0) + self.tremble
