"""A heatmap network in an ONNX file, run by ONNX Runtime. No Paddle here."""

from pathlib import Path

import numpy as np

from lib.core.model_metadata import METADATA_KEY, from_json
from lib.utils.errors import RunError, UserError
from lib.utils.image import DEVIATION, MEAN, crops_to_input


class OnnxRun:
    """The `run` function of an ONNX file (see lib.core.predictor); `line` says what was opened.

    The file has one picture input, (N, 3, h, w) or (N, h, w, 3), and an output of heatmaps (N, K, H, W), under whatever
    names; where several outputs could be heatmaps the first is taken.
    image_size: (width, height) of the crops; heatmap_shape: (K, H, W).
    gpu: number of the CUDA GPU, used where this ONNX Runtime can; None for the CPU.
    A batch size fixed in the file is kept to: the last crop is repeated to fill it.
    metadata: the ModelMetadata of a file that export.py made, None for others; flip_merged: its graph holds the flip
    test.
    Raises UserError where the file cannot be opened or is of another network, RunError where it cannot run.
    """

    def __init__(self, path, image_size, heatmap_shape, pixel_scale=255.0, gpu=None):
        self.path, self.heatmap_shape, self.pixel_scale = Path(path), tuple(heatmap_shape), pixel_scale
        if not self.path.is_file():
            raise UserError(f"there is no model file {self.path}")
        try:
            import onnxruntime
        except ImportError:
            raise UserError(f"{self.path} needs ONNX Runtime: pip install onnxruntime (or onnxruntime-gpu)") from None
        providers = ["CPUExecutionProvider"]
        if gpu is not None and "CUDAExecutionProvider" in onnxruntime.get_available_providers():
            providers.insert(0, ("CUDAExecutionProvider", {"device_id": gpu}))
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 4  # its errors come as exceptions
        try:
            self.session = onnxruntime.InferenceSession(str(self.path), options, providers=providers)
        except Exception as error:  # its exception classes have no common one of their own
            raise UserError(f"{self.path} cannot be opened by ONNX Runtime: {_short(error)}") from error
        self.provider = self.session.get_providers()[0]
        self.metadata = self._read_metadata()
        self.flip_merged = bool(self.metadata and self.metadata.flip_merged)
        self._choose_input(image_size)
        self._choose_output()
        self.line = (
            f"=> loaded {self.path}: pictures {self.input.name} {self.input.shape}, heatmaps {self.output.name} "
            f"{self.output.shape}, {self.provider}"
        )

    def _read_metadata(self):
        text = self.session.get_modelmeta().custom_metadata_map.get(METADATA_KEY)
        try:
            return from_json(text) if text else None
        except UserError as error:
            raise UserError(f"{self.path}: {error}; export it again") from error

    def _choose_input(self, image_size):
        inputs = self.session.get_inputs()
        described = ", ".join(f"{item.name} {item.type} {item.shape}" for item in inputs)
        problem = f"{self.path} has the inputs {described}; expected one of float pictures, (N, 3, height, width)"
        if len(inputs) != 1 or len(inputs[0].shape) != 4 or inputs[0].type != "tensor(float)":
            raise UserError(problem)
        self.input, shape = inputs[0], inputs[0].shape
        self.channels_last = shape[3] == 3 and shape[1] != 3
        if 3 not in (shape[1], shape[3]):
            raise UserError(problem)
        height, width = shape[1:3] if self.channels_last else shape[2:4]
        # a side that the file leaves open is a name or None
        if any(isinstance(side, int) and side != image_size[axis] for axis, side in enumerate((width, height))):
            raise UserError(
                f"{self.path} takes pictures of {width}x{height} (width x height), but MODEL.IMAGE_SIZE is "
                f"{list(image_size)}"
            )
        self.batch = shape[0] if isinstance(shape[0], int) and shape[0] > 0 else None

    def _choose_output(self):
        outputs = self.session.get_outputs()
        joint_count = self.heatmap_shape[0]
        for output in outputs:
            # a size that the file leaves open is a name or None, and shows when the network has run
            if len(output.shape) == 4 and (output.shape[1] == joint_count or not isinstance(output.shape[1], int)):
                self.output = output
                return
        described = ", ".join(f"{item.name} {item.shape}" for item in outputs)
        raise UserError(f"{self.path} has the outputs {described}; expected heatmaps (N, {joint_count}, height, width)")

    def __call__(self, crops):
        images = crops_to_input(crops, self.pixel_scale)
        if self.channels_last:
            images = np.ascontiguousarray(np.moveaxis(images, 1, -1))
        size = self.batch or len(images)
        parts = [self._run(images[start : start + size], size) for start in range(0, len(images), size)]
        return np.concatenate(parts)

    def _run(self, images, size):
        filled = np.concatenate([images, np.repeat(images[-1:], size - len(images), axis=0)])
        try:
            (heatmaps,) = self.session.run([self.output.name], {self.input.name: filled})
        except Exception as error:  # as above
            raise RunError(f"{self.path} cannot be run: {_short(error)}") from error
        if heatmaps.shape[1:] != self.heatmap_shape:
            raise UserError(
                f"{self.path} makes heatmaps of {heatmaps.shape[1:]} (joints, height, width), but MODEL.NUM_JOINTS and "
                f"MODEL.EXTRA.HEATMAP_SIZE say {self.heatmap_shape}"
            )
        return heatmaps[: len(images)]


def check_metadata(run, config):
    """A line that says that an exported file agrees with the experiment; None where the file says nothing of itself.

    run: an OnnxRun; config: a Config. Raises UserError where the file wants other pictures or has other joints, and
    where the flip test would be done twice.
    """
    metadata, skeleton, data = run.metadata, config.skeleton, config.dataset
    if metadata is None:
        return None
    order = "RGB" if metadata.color_rgb else "BGR"
    expects = f"{order} pictures divided by {metadata.pixel_scale:g}"
    if tuple(metadata.skeleton.joints) != tuple(skeleton.joints):
        raise UserError(
            f"{run.path} has the joints of {metadata.skeleton.name} ({', '.join(metadata.skeleton.joints[:3])} ...), "
            f"the experiment those of {skeleton.name} ({', '.join(skeleton.joints[:3])} ...)"
        )
    if not np.allclose([metadata.mean, metadata.deviation], [MEAN, DEVIATION], rtol=0, atol=1e-3):
        raise UserError(
            f"{run.path} expects {expects}, minus {list(metadata.mean)}, over {list(metadata.deviation)}, which no "
            "option gives them here"
        )
    own, given = ((source.color_rgb, source.pixel_scale) for source in (metadata, data))
    values = zip(("COLOR_RGB", "PIXEL_SCALE"), own, given, strict=True)
    wanted = [f"DATASET.{key} {str(wants).lower()}" for key, wants, has in values if wants != has]
    if wanted:
        raise UserError(f"{run.path} expects {expects} (says its metadata): give {' '.join(wanted)}")
    if metadata.flip_merged and config.test.flip_test:
        raise UserError(f"{run.path} holds the flip test itself: give --no-flip-test (TEST.FLIP_TEST false)")
    flip = "; it holds the flip test" if metadata.flip_merged else ""
    return f"=> its metadata agrees with the experiment: {len(skeleton.joints)} joints, {expects}{flip}"


def _short(error):
    return " ".join(str(error).split())[:200]
