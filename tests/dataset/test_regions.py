"""Parts of pictures: large enough for every crop, and crops of them that are those of the whole picture."""

import cv2
import numpy as np
import pytest

from lib.core.skeletons import MPII
from lib.core.transforms import affine_transform, get_affine_transform
from lib.dataset import regions
from lib.dataset.annotations.mpii import read_mpii
from lib.dataset.augment import Augmentation, sample_generator
from lib.dataset.joints_dataset import JointsDataset, Persons, SampleSettings
from lib.dataset.regions import Reach, Region, crop_region, pixel_box, read_region, reduced_matrix
from lib.utils.image import crop_person, read_image, read_reduced

UPPER_BODY = tuple(MPII.indices_of(MPII.upper_body))
SIZE = (301, 207)  # of the picture; odd, so that a reduced one has begun pixels


def noise(size=SIZE, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)


def write_jpeg(path, image):
    path.write_bytes(cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 95])[1].tobytes())
    return path


def random_persons(pictures, count, seed=0):
    """Persons in, at the edge of and outside the pictures, small and large."""
    rng = np.random.default_rng(seed)
    center = rng.uniform(-60, np.array(SIZE) + 60, (count, 2))
    scale = np.repeat(rng.uniform(0.1, 3, (count, 1)), 2, axis=1)
    joints = center[:, None] + rng.normal(0, 1, (count, 16, 2)) * scale[:, None] * 40
    return Persons([str(pictures[row % len(pictures)]) for row in range(count)], center, scale, joints,
                   (rng.random((count, 16)) < 0.8).astype(float))  # fmt: skip


class Parts:
    """Stands for a cache: each person's part of the picture and nothing else."""

    def __init__(self, dataset):
        self.dataset = dataset

    def __getitem__(self, index):
        persons, reach = self.dataset.persons, self.dataset.reach
        person = persons.annotation(index)
        whole = read_region(persons.pictures[index], reach.reduction(*person))
        left, top, right, bottom = pixel_box(reach.box(*person), whole.picture_size, whole.reduction)
        part = whole.pixels[top:bottom, left:right].copy()
        noise = np.random.default_rng(index).integers(0, 256, regions._scratch.memory.size, dtype=np.uint8)
        regions._scratch.memory[:] = noise  # what an earlier crop may have left there
        return Region(part, left, top, whole.picture_size, whole.reduction)


SETTINGS = {
    "published": {},
    "any turn": {"augmentation": Augmentation(0.5, 180)},
    "a little turn": {"augmentation": Augmentation(0.1, 10)},
    "no turn": {"augmentation": Augmentation(0.25, 0)},
    "upright crops": {"image_size": (48, 64), "heatmap_size": (12, 16)},
    "wide crops": {"image_size": (96, 32), "heatmap_size": (24, 8)},
    "half bodies": {"augmentation": Augmentation(0.3, 40, half_body=0.8, half_body_joints=8)},
    "unbiased": {"unbiased": True},
    "no augmentation": {"augmentation": None},
}


@pytest.mark.parametrize("reduced", [False, True])
@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS)
def test_crops_of_a_persons_part_are_those_of_the_whole_picture(tmp_path, monkeypatch, settings, reduced):
    monkeypatch.setattr(regions._scratch, "memory", np.empty(SIZE[0] * SIZE[1] * 3, np.uint8), raising=False)
    pictures = [write_jpeg(tmp_path / f"{number}.jpg", noise(seed=number)) for number in range(3)]
    wanted = {"image_size": (64, 64), "heatmap_size": (16, 16), "augmentation": Augmentation(), **settings}
    dataset = JointsDataset(random_persons(pictures, 30), MPII, SampleSettings(**wanted, decode_reduced=reduced))
    of_parts = JointsDataset(dataset.persons, MPII, dataset.settings, Parts(dataset))
    reductions = {of_parts.cache[index].reduction for index in range(30)}
    assert reductions == ({1, 2} if reduced else {1})
    for epoch in range(8):
        for index in range(30):
            whole, part = dataset[epoch, index], of_parts[epoch, index]
            for name in whole:
                np.testing.assert_array_equal(part[name], whole[name])


def test_without_reduction_crops_are_those_of_the_flipped_and_warped_picture(tmp_path):
    path = write_jpeg(tmp_path / "a.jpg", noise())
    persons = random_persons([path], 20)
    dataset = JointsDataset(persons, MPII, SampleSettings((64, 64), (16, 16), augmentation=Augmentation()))
    image = read_image(path)
    mirrored = 0
    for index in range(20):
        sample = dataset[5, index]
        _, rotation, mirror = dataset.settings.augmentation.draw(sample_generator(0, 5, index))
        matrix = get_affine_transform(sample["center"], sample["scale"], rotation, (64, 64))
        expected = cv2.warpAffine(cv2.flip(image, 1) if mirror else image, matrix, (64, 64), flags=cv2.INTER_LINEAR)
        np.testing.assert_array_equal(sample["crop"], expected)
        mirrored += mirror
    assert 0 < mirrored < 20


def test_a_part_is_smaller_than_the_picture_where_the_person_is():
    reach = Reach((64, 64), Augmentation(0.25, 30))
    box = reach.box(np.array([150.0, 100]), np.array([0.2, 0.2]), None, None)
    # 40 px, a quarter more, turned by 45 degrees and more: the box's diagonal
    np.testing.assert_allclose(np.subtract(box[2:], box[:2]), 50 * np.sqrt(2))
    still = Reach((64, 64)).box(np.array([150.0, 100]), np.array([0.2, 0.2]), None, None)
    np.testing.assert_allclose(still, (130, 80, 170, 120))


def test_a_person_outside_the_picture_has_an_empty_part():
    left, top, right, bottom = pixel_box((-500, -400, -300, -200), SIZE, 1)
    assert (right - left) * (bottom - top) == 0
    part = Region(np.empty((0, 0, 3), np.uint8), 0, 0, SIZE)
    matrix = get_affine_transform((-400, -300), 0.5, 0, (64, 64))
    assert not crop_region(part, matrix, False, (64, 64)).any()


# -- reduced decoding ------------------------------------------------------------------------------------------------


def reduction_of(width, joints=None, visible=None, reach=None):
    scale = np.array([width, width]) / 200
    reach = reach or Reach((64, 64), Augmentation(0.25, 30), UPPER_BODY, reduce=True)
    return reach.reduction(np.array([100.0, 100]), scale, joints, visible)


def test_a_picture_is_reduced_where_the_smallest_crop_has_twice_the_networks_pixels():
    assert (reduction_of(170), reduction_of(171)) == (1, 2)  # three quarters of it: 127.5 and 128.25 px
    alone = Reach((64, 64), None, reduce=True)
    assert (reduction_of(127, reach=alone), reduction_of(129, reach=alone)) == (1, 2)
    assert reduction_of(1000, reach=Reach((64, 64), Augmentation())) == 1


def test_half_a_body_counts_where_it_may_be_drawn():
    joints = np.zeros((16, 2))
    joints[list(UPPER_BODY)] = np.linspace((60, 60), (140, 140), len(UPPER_BODY))  # 80 px, its crop 1.5 times that
    visible = np.ones(16)
    halves = Reach((64, 64), Augmentation(0, 0, half_body=0.3), UPPER_BODY, reduce=True)
    assert reduction_of(400, joints, visible, halves) == 1
    joints *= 1.1  # 132 px
    assert reduction_of(400, joints, visible, halves) == 2


@pytest.mark.parametrize("reduction", [1, 2, 4, 8])
@pytest.mark.parametrize("mirror", [False, True])
@pytest.mark.parametrize("rotation", [0, 25, -60])
def test_a_dot_lies_where_the_joint_goes_whatever_the_reduction(tmp_path, reduction, mirror, rotation):
    width, height, point = 1003, 749, np.array([430.0, 391.0])
    y, x = np.mgrid[:height, :width]
    dot = 255 * np.exp(-((x - point[0]) ** 2 + (y - point[1]) ** 2) / (2 * 14**2))
    path = write_jpeg(tmp_path / "dot.jpg", np.repeat(dot[..., None], 3, axis=2).astype(np.uint8))
    region = read_region(path, reduction)
    assert region.reduction == reduction and region.picture_size == (width, height)
    center = np.array([460.0, 350.0])
    if mirror:
        center[0], point[0] = width - 1 - center[0], width - 1 - point[0]
    matrix = get_affine_transform(center, 2.6, rotation, (128, 128))
    crop = crop_region(region, matrix, mirror, (128, 128))[..., 1].astype(float)
    found = [(crop * places).sum() / crop.sum() for places in np.mgrid[:128, :128][::-1]]
    np.testing.assert_allclose(found, affine_transform(point, matrix), atol=0.1, rtol=0)  # wanted: 0.3 px


def test_a_reduced_pixel_is_the_mean_of_those_it_stands_for(tmp_path):
    grey = np.repeat(noise((14, 10))[..., :1], 3, axis=2)  # colours have fewer pixels of their own in a JPEG
    path = write_jpeg(tmp_path / "a.jpg", cv2.resize(grey, (101, 67), interpolation=cv2.INTER_CUBIC))
    whole = read_image(path).astype(float)
    for reduction in (2, 4, 8):
        image, used, size = read_reduced(path, reduction)
        assert (used, size) == (reduction, (101, 67))
        assert image.shape == (-(-67 // reduction), -(-101 // reduction), 3)
        rows, columns = 67 // reduction, 101 // reduction
        means = whole[: rows * reduction, : columns * reduction]
        means = means.reshape(rows, reduction, columns, reduction, 3).mean(axis=(1, 3))
        assert np.abs(image[:rows, :columns] - means).mean() < 1.5


def test_other_pictures_than_jpegs_are_decoded_whole(tmp_path):
    (tmp_path / "a.png").write_bytes(cv2.imencode(".png", noise())[1].tobytes())
    image, used, size = read_reduced(tmp_path / "a.png", 2)
    assert (used, size) == (1, SIZE)
    np.testing.assert_array_equal(image, noise())


def test_the_matrix_of_the_reduced_picture_goes_to_the_same_places():
    matrix = get_affine_transform((150, 100), 1.1, 33, (64, 64))
    places = np.array([[0.0, 0], [3, 5], [149, 99]])  # in the reduced picture
    for reduction in (1, 2, 4, 8):
        whole = places * reduction + (reduction - 1) / 2
        expected = affine_transform(whole, matrix)
        np.testing.assert_allclose(affine_transform(places, reduced_matrix(matrix, reduction)), expected, atol=1e-9)
        mirrored = affine_transform(np.column_stack([300 - whole[:, 0], whole[:, 1]]), matrix)
        found = affine_transform(places, reduced_matrix(matrix, reduction, mirrored_width=301))
        np.testing.assert_allclose(found, mirrored, atol=1e-9)


def test_crops_of_mpiis_pictures_differ_by_two_grey_levels_at_most(shared):
    persons = read_mpii(shared / "data" / "mpii5", "train")
    plain, reduced = (
        JointsDataset(persons, MPII, SampleSettings(augmentation=Augmentation(), decode_reduced=flag))
        for flag in (False, True)
    )
    apart = np.array([
        np.abs(plain[key]["crop"].astype(int) - reduced[key]["crop"]).mean()
        for key in [(epoch, index) for epoch in range(10) for index in range(5)]
    ])  # fmt: skip
    assert 0.5 < apart.mean() < 1.5 and apart.max() <= 2


def test_a_crop_by_a_matrix_of_no_extent_is_made_all_the_same(tmp_path):
    """DATASET.SCALE_FACTOR 1 draws crops of nothing, which the original makes, too."""
    image, matrix = noise(), get_affine_transform((150, 100), 0.0, 20, (64, 64))
    crop = crop_region(Region(image, 0, 0, SIZE), matrix, True, (64, 64))
    np.testing.assert_array_equal(crop, crop_person(cv2.flip(image, 1), matrix, (64, 64)))
