"""Reading experiments: what is taken, what is refused, and how the refusal reads."""

from pathlib import Path

import pytest
import yaml
from pydantic import ValidationError

from lib.config.config import UNREAD_KEYS, Config, dump_config, parse_overrides, read_config
from lib.core.skeletons import COCO, MPII, Skeleton
from lib.utils.errors import UserError

EXPERIMENTS = sorted((Path(__file__).resolve().parents[2] / "experiments").rglob("*.yaml"))


@pytest.fixture
def read(tmp_path):
    """Reads YAML text (and command-line words, if any) as read_config does; returns the Config."""

    def read(text="TRAIN: {LR: 0.001}", *words, warn=print):
        path = tmp_path / "experiment.yaml"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return read_config(path, parse_overrides(list(words)), warn)

    return read


@pytest.fixture
def refusal(read):
    """The message with which a YAML text (and command-line words) is refused: always one line."""

    def refusal(text="TRAIN: {LR: 0.001}", *words):
        with pytest.raises(UserError) as error:
            read(text, *words)
        message = str(error.value)
        assert "\n" not in message
        return message

    return refusal


@pytest.mark.parametrize("path", EXPERIMENTS, ids=lambda path: path.stem)
def test_every_experiment_of_the_repository_reads_without_a_word(path):
    said = []
    config = read_config(path, warn=said.append)
    assert isinstance(config, Config)
    assert said == []


def test_there_are_experiments():
    assert EXPERIMENTS


def test_the_published_experiment_holds_its_published_values(root):
    config = read_config(root / "experiments/mpii/resnet50/256x256_d256x3_adam_lr1e-3.yaml")
    assert (config.train.end_epoch, config.train.lr, config.train.lr_step) == (140, 0.001, (90, 120))
    assert (config.model.depth, config.model.image_size, config.model.extra.heatmap_size) == (50, (256, 256), (64, 64))
    assert config.dataset_root == Path("data/mpii")


def test_values_land_in_their_sections(read):
    config = read("DATA_DIR: /d\nDATASET: {ROOT: mpii}\nTRAIN: {LR: 0.5, LR_STEP: [3, 4]}\nGPUS: 1")
    assert config.dataset_root == Path("/d/mpii")
    assert (config.train.lr, config.train.lr_step, config.gpus) == (0.5, (3, 4), "1")
    assert config.test.batch_size == 32  # a default


# -- keys ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "wrong", "nearest"),
    [
        ("TRAIN: {END_EPOCHS: 3}", "TRAIN.END_EPOCHS", "TRAIN.END_EPOCH"),
        ("TRIAN: {LR: 3}", "TRIAN", "TRAIN"),
        ("MODEL: {EXTRA: {SIGMAS: 3}}", "MODEL.EXTRA.SIGMAS", "MODEL.EXTRA.SIGMA"),
        ("MODEL: {SIGMA: 3}", "MODEL.SIGMA", "MODEL.EXTRA.SIGMA"),
        ("TRAIN: {lr: 0.1}", "TRAIN.lr", "TRAIN.LR"),
        ("train: {LR: 0.1}", "train", "TRAIN"),
    ],
)
def test_an_unknown_key_is_named_with_its_file_and_the_nearest_valid_key(refusal, text, wrong, nearest):
    message = refusal(text)
    assert "experiment.yaml" in message
    assert f"unknown key {wrong}" in message
    assert message.endswith(f"; the nearest valid key is {nearest}")


def test_a_key_like_nothing_else_gets_no_suggestion(refusal):
    message = refusal("QQQQQQ: 1")
    assert "unknown key QQQQQQ" in message and "nearest" not in message


def test_an_unknown_key_of_the_command_line_is_named_with_the_nearest(refusal):
    message = refusal("TRAIN: {LR: 0.1}", "TRAIN.BATCHSIZE", "3")
    assert "command line: unknown key TRAIN.BATCHSIZE" in message and "TRAIN.BATCH_SIZE" in message


def test_keys_that_nothing_reads_are_said_once_in_one_line(read):
    said = []
    config = read("CUDNN: {ENABLED: true}\nTRAIN: {GAMMA1: 0.99, RESUME: false, LR: 0.1}", warn=said.append)
    assert config.train.lr == 0.1
    assert len(said) == 1
    assert all(key in said[0] for key in ("experiment.yaml", "CUDNN.ENABLED", "TRAIN.GAMMA1", "TRAIN.RESUME"))
    assert "TRAIN.LR" not in said[0]


def test_every_key_that_nothing_reads_is_taken(read):
    tree = {}
    for dotted in UNREAD_KEYS:
        section, key = dotted.split(".")
        tree.setdefault(section, {})[key] = 1
    said = []
    read(yaml.safe_dump(tree), warn=said.append)
    assert len(said) == 1 and all(key in said[0] for key in UNREAD_KEYS)


# -- values ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("TRAIN: {LR: fast}", "TRAIN.LR"),
        ("TRAIN: {LR: true}", "TRAIN.LR"),
        ("TRAIN: {LR: -0.1}", "TRAIN.LR"),
        ("TRAIN: {LR: 0}", "TRAIN.LR"),
        ("TRAIN: {LR: .inf}", "TRAIN.LR"),
        ("TRAIN: {LR: .nan}", "TRAIN.LR"),
        ("TRAIN: {LR: nan}", "TRAIN.LR"),
        ("TRAIN: {LR: [0.1]}", "TRAIN.LR"),
        ("TRAIN: {LR: }", "TRAIN.LR"),
        ("TRAIN: {WD: -1}", "TRAIN.WD"),
        ("TRAIN: {MOMENTUM: 1.5}", "TRAIN.MOMENTUM"),
        ("TRAIN: {OPTIMIZER: rmsprop}", "TRAIN.OPTIMIZER"),
        ("TRAIN: {LR_TYPE: CosineDecay}", "TRAIN.LR_TYPE"),
        ("TRAIN: {LR_STEP: 90}", "TRAIN.LR_STEP"),
        ("TRAIN: {LR_STEP: [90, x]}", "TRAIN.LR_STEP"),
        ("TRAIN: {BATCH_SIZE: 0}", "TRAIN.BATCH_SIZE"),
        ("TRAIN: {BATCH_SIZE: true}", "TRAIN.BATCH_SIZE"),
        ("TRAIN: {BATCH_SIZE: 32.5}", "TRAIN.BATCH_SIZE"),
        ("TRAIN: {BATCH_SIZE: '32'}", "TRAIN.BATCH_SIZE"),
        ("TRAIN: {SHUFFLE: 1}", "TRAIN.SHUFFLE"),
        ("TRAIN: {SHUFFLE: 'yes'}", "TRAIN.SHUFFLE"),
        ("TRAIN: {SEED: -1}", "TRAIN.SEED"),
        ("TRAIN: 3", "TRAIN"),
        ("TRAIN: [3]", "TRAIN"),
        ("WORKERS: -1", "WORKERS"),
        ("WORKERS: false", "WORKERS"),
        ("PRINT_FREQ: 0", "PRINT_FREQ"),
        ("GPUS: [0, 1]", "GPUS"),
        ("DATASET: {DATASET: coca}", "DATASET.DATASET"),
        ("DATASET: {ROOT: 3}", "DATASET.ROOT"),
        ("DATASET: {DATA_FORMAT: tar}", "DATASET.DATA_FORMAT"),
        ("DATASET: {ROT_FACTOR: 200}", "DATASET.ROT_FACTOR"),
        ("DATASET: {SCALE_FACTOR: 2}", "DATASET.SCALE_FACTOR"),
        ("DATASET: {PIXEL_SCALE: 0}", "DATASET.PIXEL_SCALE"),
        ("MODEL: {NAME: hrnet}", "MODEL.NAME"),
        ("MODEL: {DEPTH: 51}", "MODEL.DEPTH"),
        ("MODEL: {DEPTH: '50'}", "MODEL.DEPTH"),
        ("MODEL: {IMAGE_SIZE: [256]}", "MODEL.IMAGE_SIZE"),
        ("MODEL: {IMAGE_SIZE: [256, 256, 3]}", "MODEL.IMAGE_SIZE"),
        ("MODEL: {IMAGE_SIZE: 256}", "MODEL.IMAGE_SIZE"),
        ("MODEL: {EXTRA: {NUM_DECONV_KERNELS: [4, 4, 5]}}", "MODEL.EXTRA.NUM_DECONV_KERNELS"),
        ("MODEL: {EXTRA: {FINAL_CONV_KERNEL: 2}}", "MODEL.EXTRA.FINAL_CONV_KERNEL"),
        ("MODEL: {EXTRA: {TARGET_TYPE: offset}}", "MODEL.EXTRA.TARGET_TYPE"),
        ("MODEL: {EXTRA: {SIGMA: 0}}", "MODEL.EXTRA.SIGMA"),
    ],
)
def test_a_value_that_cannot_be_is_refused_under_its_key_and_file(refusal, text, key):
    message = refusal(text)
    assert "experiment.yaml" in message
    assert f" {key}:" in message


def test_a_refusal_says_what_was_given_and_what_is_expected(refusal):
    message = refusal("TRAIN: {OPTIMIZER: rmsprop}")
    assert "'rmsprop'" in message and "'adam'" in message and "'sgd'" in message
    assert "greater than 0" in refusal("TRAIN: {LR: -0.1}") and "-0.1" in refusal("TRAIN: {LR: -0.1}")


@pytest.mark.parametrize("text", ["1e-3", "'0.001'", "1.0e-3", "0.001"])
def test_a_number_may_be_written_as_people_write_it(read, text):
    assert read(f"TRAIN: {{LR: {text}}}").train.lr == 0.001


def test_a_whole_number_is_a_number_too(read):
    config = read("TRAIN: {LR: 1, WD: 0}\nMODEL: {EXTRA: {SIGMA: 3}}")
    assert (config.train.lr, config.train.wd, config.model.extra.sigma) == (1.0, 0.0, 3.0)


# -- values that must fit together -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("MODEL: {EXTRA: {HEATMAP_SIZE: [32, 32]}}", ("MODEL.EXTRA.HEATMAP_SIZE: [32, 32]", "[64, 64]")),
        ("MODEL: {IMAGE_SIZE: [192, 256], EXTRA: {HEATMAP_SIZE: [64, 48]}}", ("MODEL.EXTRA.HEATMAP_SIZE", "[48, 64]")),
        ("MODEL: {IMAGE_SIZE: [250, 256]}", ("MODEL.IMAGE_SIZE: [250, 256]", "32")),
        ("MODEL: {EXTRA: {NUM_DECONV_FILTERS: [256, 256]}}", ("MODEL.EXTRA.NUM_DECONV_FILTERS: 2 values", "3")),
        ("MODEL: {EXTRA: {NUM_DECONV_KERNELS: [4]}}", ("MODEL.EXTRA.NUM_DECONV_KERNELS: 1 values", "3")),
        ("MODEL: {EXTRA: {NUM_DECONV_LAYERS: 2}}", ("NUM_DECONV_LAYERS is 2",)),
        ("MODEL: {NUM_JOINTS: 17}", ("MODEL.NUM_JOINTS: 17", "16")),
        ("TRAIN: {BEGIN_EPOCH: 5, END_EPOCH: 5}", ("TRAIN.BEGIN_EPOCH: 5", "TRAIN.END_EPOCH 5")),
        ("TRAIN: {OPTIMIZER: sgd, NESTEROV: true, MOMENTUM: 0}", ("TRAIN.NESTEROV", "TRAIN.MOMENTUM")),
    ],
)
def test_values_that_do_not_fit_together_are_refused_by_name(refusal, text, said):
    message = refusal(text)
    assert "experiment.yaml" in message and "alue error" not in message
    for words in said:
        assert words in message


def test_two_deconvolutions_make_heatmaps_of_an_eighth(read):
    extra = "HEATMAP_SIZE: [24, 32], NUM_DECONV_LAYERS: 2, NUM_DECONV_FILTERS: [64, 64], NUM_DECONV_KERNELS: [4, 3]"
    config = read(f"MODEL: {{IMAGE_SIZE: [192, 256], EXTRA: {{{extra}}}}}")
    assert config.model.extra.heatmap_size == (24, 32)


# -- skeletons -------------------------------------------------------------------------------------------------------

HAND = "JOINTS: [wrist, left_thumb, right_thumb]"


def own_skeleton(keys, joint_count=3, **sections):
    """YAML of a skeleton of three joints with more keys, such as "LIMBS: []"."""
    sections = "\n".join(f"{name}: {{{values}}}" for name, values in sections.items())
    return f"DATASET: {{SKELETON: {{{HAND}, {keys}}}}}\nMODEL: {{NUM_JOINTS: {joint_count}}}\n{sections}"


@pytest.mark.parametrize("keys", ["SKELETON: coco", "SKELETON: {NAME: coco}", "DATASET: coco"])
def test_a_skeleton_is_chosen_by_its_name_or_comes_with_the_data_sets_form(read, keys):
    config = read(f"DATASET: {{{keys}}}\nMODEL: {{NUM_JOINTS: 17}}")
    assert config.skeleton is COCO
    assert read().skeleton is MPII


@pytest.mark.parametrize(
    "text", ["TRAIN: {LR: 0.1}", "DATASET: {SKELETON: mpii}", own_skeleton("NAME: hand, SIGMAS: [0.1, 0.1, 0.1]")]
)
def test_the_command_line_names_another_skeleton(read, text):
    assert read(text, "DATASET.SKELETON", "coco", "MODEL.NUM_JOINTS", "17").skeleton is COCO


def test_a_skeleton_of_ones_own_holds_what_its_entry_says(read):
    skeleton = read(own_skeleton(
        "NAME: hand, LIMBS: [[wrist, left_thumb], [wrist, right_thumb]], SIGMAS: [0.1, 1e-1, 1], UPPER_BODY: [wrist], "
        "PCK_REFERENCE: [wrist, left_thumb], PCK_THRESHOLD: 0.3, INDICES: [5, 0, 2]"
    )).skeleton  # fmt: skip
    assert skeleton == Skeleton(
        "hand", ("wrist", "left_thumb", "right_thumb"), (("wrist", "left_thumb"), ("wrist", "right_thumb")), None,
        (0.1, 0.1, 1.0), ("wrist",), ("wrist", "left_thumb"), 0.3, (5, 0, 2),
    )  # fmt: skip
    assert skeleton.flip_pairs == ((1, 2),)


@pytest.mark.parametrize("pairs", ["[[right_thumb, left_thumb]]", "[[left_thumb, right_thumb]]", "~"])
def test_flip_pairs_may_be_given_or_follow_from_the_names(read, pairs):
    assert read(own_skeleton(f"FLIP_PAIRS: {pairs}")).skeleton.flip_pairs == ((1, 2),)


def test_an_empty_list_of_flip_pairs_is_taken_at_its_word(read):
    assert read(own_skeleton("FLIP_PAIRS: []")).skeleton.flip_pairs == ()


def test_flip_pairs_that_contradict_the_names_are_refused(read):
    said = "FLIP_PAIRS: left_thumb is paired with wrist, but its name says right_thumb"
    with pytest.raises(UserError, match=said):
        read(own_skeleton("FLIP_PAIRS: [[left_thumb, wrist]]"))


@pytest.mark.parametrize(
    ("keys", "key", "said"),
    [
        ("LIMBS: [[wrist, left_thum]]", "LIMBS", "'left_thum' is not among JOINTS; the nearest is 'left_thumb'"),
        ("LIMBS: [[wrist]]", "LIMBS", ""),
        ("LIMBS: [wrist, left_thumb]", "LIMBS", "got 'wrist'"),
        ("LIMBS: [[0, 1]]", "LIMBS", "got 0"),
        ("SIGMAS: [0.1, 0.1]", "SIGMAS", "2 values for 3 joints"),
        ("SIGMAS: [0.1, 0.1, 0]", "SIGMAS", "greater than 0, got 0"),
        ("SIGMAS: 0.1", "SIGMAS", "got 0.1"),
        ("FLIP_PAIRS: [[left_thumb, right]]", "FLIP_PAIRS", "'right' is not among JOINTS"),
        ("FLIP_PAIRS: [[wrist, wrist]]", "FLIP_PAIRS", "one twin"),
        ("FLIP_PAIRS: [[left_thumb, right_thumb], [wrist, left_thumb]]", "FLIP_PAIRS", "one twin"),
        ("UPPER_BODY: [wirst]", "UPPER_BODY", "the nearest is 'wrist'"),
        ("PCK_REFERENCE: torso", "PCK_REFERENCE", "expected box, or two joint names"),
        ("PCK_REFERENCE: [wrist]", "PCK_REFERENCE", "expected box, or two joint names"),
        ("PCK_REFERENCE: [wrist, thumb]", "PCK_REFERENCE", "'thumb' is not among JOINTS"),
        ("PCK_REFERENCE: [wrist, wrist]", "PCK_REFERENCE", "no length"),
        ("PCK_THRESHOLD: 0", "PCK_THRESHOLD", "greater than 0"),
        ("INDICES: [0, 1]", "INDICES", "2 values for 3 joints"),
        ("INDICES: [0, 1, 1]", "INDICES", "twice"),
        ("INDICES: [0, 1, -1]", "INDICES", "greater than or equal to 0, got -1"),
        ("JOINTS: [wrist, thumb, thumb]", "JOINTS", "twice"),
        ("JOINTS: [wrist, thumb, 3]", "JOINTS", "got 3"),
    ],
)
def test_a_mistake_in_a_skeleton_is_named_by_its_key(refusal, keys, key, said):
    text = own_skeleton(keys).replace(f"{HAND}, JOINTS", "JOINTS")
    message = refusal(text)
    assert f"experiment.yaml: DATASET.SKELETON.{key}: " in message and said in message


def test_an_unknown_key_of_a_skeleton_gets_the_nearest(refusal):
    message = refusal(own_skeleton("LIMB: []"))
    assert "unknown key DATASET.SKELETON.LIMB; the nearest valid key is DATASET.SKELETON.LIMBS" in message


@pytest.mark.parametrize("words", [(), ("DATASET.SKELETON", "coca")])
def test_an_unknown_skeleton_is_refused_with_those_there_are(refusal, words):
    message = refusal("DATASET: {SKELETON: coca}" if not words else "TRAIN: {LR: 0.1}", *words)
    assert "DATASET.SKELETON.NAME: there is no skeleton 'coca'; known are coco, mpii, posetrack18, or give" in message


@pytest.mark.parametrize(
    "keys", ["NAME: coco, SIGMAS: [0.1]", "NAME: coco, SIGMAS: []", "NAME: mpii, PCK_REFERENCE: box", "LIMBS: []"]
)
def test_a_named_skeleton_has_no_other_keys(refusal, keys):
    key = keys.split(", ")[-1].partition(":")[0]
    assert f"DATASET.SKELETON.{key}: is of a skeleton of one's own" in refusal(f"DATASET: {{SKELETON: {{{keys}}}}}")


def test_the_networks_joints_are_the_skeletons(refusal):
    assert "MODEL.NUM_JOINTS: 4, but own has 3 joints" in refusal(own_skeleton("LIMBS: []", 4))
    assert "MODEL.NUM_JOINTS: 16, but coco has 17 joints" in refusal("DATASET: {DATASET: coco}")


NO_SIGMAS = own_skeleton("LIMBS: []", TEST="METRIC: ap").replace("SKELETON", "DATASET: coco, SKELETON")
NO_UPPER_BODY = own_skeleton("LIMBS: []").replace("SKELETON", "PROB_HALF_BODY: 0.3, SKELETON")
COCO_FORM = "DATASET: {DATASET: coco}\nMODEL: {NUM_JOINTS: 17}\n"


@pytest.mark.parametrize(
    ("text", "key", "said"),
    [
        ("TEST: {SOFT_NMS: true, OKS_THRE: 0}", "TEST.OKS_THRE", "above 0"),
        ("TEST: {METRIC: ap}", "TEST.METRIC", "COCO's form"),
        (NO_SIGMAS, "TEST.METRIC", "SIGMAS"),
        (COCO_FORM + "TEST: {METRIC: pckh}", "TEST.METRIC", "PCK_REFERENCE"),
        (COCO_FORM + "TEST: {USE_GT_BBOX: false}", "TEST.COCO_BBOX_FILE", "need their file"),
        ("TEST: {USE_GT_BBOX: false, COCO_BBOX_FILE: x}", "TEST.USE_GT_BBOX", "COCO's form"),
        (NO_UPPER_BODY, "DATASET.PROB_HALF_BODY", "UPPER_BODY"),
        ("DATASET: {PROB_HALF_BODY: 1.3}", "DATASET.PROB_HALF_BODY", "less than or equal to 1"),
        ("TRAIN: {EMA: 1}", "TRAIN.EMA", "less than 1"),
        ("TEST: {DECODE: darc}", "TEST.DECODE", "'dark'"),
        ("DATASET: {CACHE: pictures}", "DATASET.CACHE", "'crops'"),
        ("DATASET: {DECODE_REDUCED: validation}", "DATASET.DECODE_REDUCED", "'all'"),
    ],
)
def test_options_that_cannot_work_together_are_refused_by_name(refusal, text, key, said):
    message = refusal(text)
    assert f"experiment.yaml: {key}: " in message and said in message


def test_the_originals_key_of_the_decoder_still_counts(read):
    assert read("TEST: {UDP: true}").test.decoder == "quarter"
    assert read("TEST: {DECODE: dark}").test.decoder == "dark"
    assert read("TEST: {DECODE: dark, POST_PROCESS: false}").test.decoder == "none"


def test_with_unbiased_data_processing_the_mirrored_heatmaps_are_not_shifted(read):
    assert read().test.shift
    assert not read("TEST: {UDP: true}").test.shift and not read("TEST: {SHIFT_HEATMAP: false}").test.shift


# -- the depth, which has two names ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    ["MODEL: {DEPTH: 101}", "MODEL: {EXTRA: {NUM_LAYERS: 101}}", "MODEL: {DEPTH: 101, EXTRA: {NUM_LAYERS: 101}}"],
)
def test_the_depth_may_stand_under_either_name_or_both(read, text):
    config = read(text)
    assert config.model.depth == 101


def test_two_different_depths_are_refused(refusal):
    message = refusal("MODEL: {DEPTH: 50, EXTRA: {NUM_LAYERS: 101}}")
    assert "MODEL.DEPTH is 50" in message and "MODEL.EXTRA.NUM_LAYERS is 101" in message


@pytest.mark.parametrize("key", ["MODEL.DEPTH", "MODEL.EXTRA.NUM_LAYERS"])
@pytest.mark.parametrize(
    "text", ["MODEL: {DEPTH: 50}", "MODEL: {EXTRA: {NUM_LAYERS: 50}}", "MODEL: {DEPTH: 50, EXTRA: {NUM_LAYERS: 50}}"]
)
def test_the_command_line_changes_the_depth_under_either_name(read, key, text):
    config = read(text, key, "18")
    assert config.model.depth == 18


def test_two_different_depths_of_the_command_line_are_refused(refusal):
    message = refusal("MODEL: {DEPTH: 50}", "MODEL.DEPTH", "18", "MODEL.EXTRA.NUM_LAYERS", "34")
    assert "they are one value" in message


# -- overrides -------------------------------------------------------------------------------------------------------


def test_the_command_line_wins_over_the_file(read):
    config = read("TRAIN: {LR: 0.5, END_EPOCH: 9}", "TRAIN.LR", "1e-4", "MODEL.IMAGE_SIZE", "[256, 256]")
    assert (config.train.lr, config.train.end_epoch) == (0.0001, 9)


def test_a_refused_override_says_that_the_command_line_was_there(refusal):
    message = refusal("TRAIN: {LR: 0.5}", "TRAIN.LR", "-1")
    assert "command line" in message and "TRAIN.LR" in message


def test_a_key_without_a_value_is_refused(refusal):
    assert "'TRAIN.END_EPOCH' has no value" in refusal("TRAIN: {LR: 0.1}", "TRAIN.LR", "0.1", "TRAIN.END_EPOCH")


@pytest.mark.parametrize("word", ["[1, 2", "2024-02-30"])
def test_a_value_that_is_no_yaml_is_refused(refusal, word):
    assert f"command line: TRAIN.LR: {word!r} is not a YAML value" in refusal("TRAIN: {LR: 0.1}", "TRAIN.LR", word)


@pytest.mark.parametrize(
    ("key", "word", "value"),
    [("GPUS", "0", "0"), ("GPUS", "0,1", "0,1"), ("GPUS", "cpu", "cpu"), ("DATASET.ROOT", "2024", "2024"),
     ("OUTPUT_DIR", "no", "no"), ("DATASET.TEST_SET", "1e3", "1e3")],
)  # fmt: skip
def test_a_text_value_of_the_command_line_stays_text(read, key, word, value):
    node = read("TRAIN: {LR: 0.1}", key, word)
    for part in key.lower().split("."):
        node = getattr(node, part)
    assert node == value


def test_an_empty_word_clears_a_text_value(read):
    assert read("MODEL: {PRETRAINED: imagenet}", "MODEL.PRETRAINED", "").model.pretrained == ""


def test_a_section_as_override_is_refused_or_keeps_the_rest_of_the_section(read):
    text = "MODEL: {EXTRA: {FINAL_CONV_KERNEL: 3}}"
    try:
        config = read(text, "MODEL.EXTRA", "{SIGMA: 3}")
    except UserError:
        return
    assert (config.model.extra.sigma, config.model.extra.final_conv_kernel) == (3, 3)


# -- the record ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("section", "name"), [("train", "lr"), ("model", "depth"), (None, "workers")])
def test_the_configuration_cannot_be_changed(read, section, name):
    config = read()
    with pytest.raises(ValidationError, match="frozen"):
        setattr(getattr(config, section) if section else config, name, 1)


@pytest.mark.parametrize(
    "text",
    [
        "TRAIN: {LR: 0.001}",
        "MODEL: {DEPTH: 18, EXTRA: {NUM_DECONV_KERNELS: [2, 3, 4]}}\nTRAIN: {LR: 1e-5, LR_STEP: []}\nGPUS: ''",
        "MODEL: {EXTRA: {NUM_LAYERS: 34}}\nDATASET: {ROOT: 'a: b # c'}",
        "DATASET: {SKELETON: coco}\nMODEL: {NUM_JOINTS: 17}",
        own_skeleton("LIMBS: [[wrist, left_thumb]], SIGMAS: [0.1, 0.2, 1], INDICES: [5, 0, 2]"),
        own_skeleton("NAME: hand, PCK_REFERENCE: [wrist, left_thumb], FLIP_PAIRS: [[right_thumb, left_thumb]]"),
    ],
)
def test_a_written_configuration_reads_back_as_itself(read, text):
    config = read(text)
    said = []
    again = read(dump_config(config), warn=said.append)
    assert again == config and again.skeleton == config.skeleton
    assert said == []


def test_a_written_configuration_holds_every_key_in_upper_case(read):
    tree = yaml.safe_load(dump_config(read()))
    assert set(tree) == {"GPUS", "DATA_DIR", "OUTPUT_DIR", "LOG_DIR", "WORKERS", "PRINT_FREQ", "DATASET", "MODEL",
                         "LOSS", "TRAIN", "TEST", "DEBUG", "CUDNN"}  # fmt: skip
    assert tree["TRAIN"]["LR_STEP"] == [90, 120]


# -- files -----------------------------------------------------------------------------------------------------------


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(UserError, match=r"nowhere\.yaml"):
        read_config(tmp_path / "nowhere.yaml")


def test_a_folder_is_no_experiment(tmp_path):
    with pytest.raises(UserError, match="cannot read the experiment file"):
        read_config(tmp_path)


@pytest.mark.parametrize("text", ["- a\n- b", "", "just words", "3"])
def test_yaml_that_is_no_mapping_is_refused(refusal, text):
    assert "expected KEY: value" in refusal(text)


@pytest.mark.parametrize(
    "text", ["TRAIN: {LR: 0.1", "a: b: c", "\tTRAIN: 3", b"TRAIN: \xff\xfe", "[" * 1500, "day: 2024-02-30"]
)
def test_broken_yaml_is_refused_in_one_line(refusal, text):
    assert "experiment.yaml is not valid YAML" in refusal(text)


@pytest.mark.parametrize("text", ["TRAIN: 3\nTRAIN.LR: 0.1", "1: 2", "null: 2", "{[1, 2]: 3}"])
def test_keys_that_make_no_sense_are_refused(refusal, text):
    assert "experiment.yaml" in refusal(text)


def test_training_sets_are_a_name_or_a_list_of_names(read):
    assert read("DATASET: {TRAIN_SET: [a, b]}").dataset.train_sets == ("a", "b")
    for word, expected in (("2024", ("2024",)), ("[train, more]", ("train", "more"))):
        assert read("TRAIN: {LR: 0.001}", "DATASET.TRAIN_SET", word).dataset.train_sets == expected
    for word in ("[]", "[1, 2]", "[[a]]"):
        with pytest.raises(UserError, match=r"DATASET\.TRAIN_SET: input should be a valid string"):
            read("TRAIN: {LR: 0.001}", "DATASET.TRAIN_SET", word)
