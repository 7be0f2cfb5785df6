"""Pictures as their readers see them, and the grey levels that values should have."""

import io

import numpy as np
from PIL import Image


def decoded(data):
    """Pixels (h, w, 3) of a file's bytes, by Pillow."""
    return np.asarray(Image.open(io.BytesIO(bytes(data))).convert("RGB"))


def greys(x, window):
    """Grey levels of values: linear between the ends of the window."""
    low, high = window
    return 255 * np.clip((x - low) / (high - low), 0, 1)


def blocks(pixels, shape):
    """One pixel of each voxel of a picture that shows each as a block."""
    h, w = pixels.shape[:2]
    rows = ((np.arange(shape[0]) + 0.5) * h / shape[0]).astype(int)
    columns = ((np.arange(shape[1]) + 0.5) * w / shape[1]).astype(int)
    return pixels[np.ix_(rows, columns)]
