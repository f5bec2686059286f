"""docs/configuration.md is what the schema says."""

import pytest

from lib.config.config import SYNONYMS, parse_overrides
from lib.config.reference import reference_page, sections
from lib.utils.errors import UserError


def test_the_page_is_up_to_date(root):
    written = (root / "docs" / "configuration.md").read_text(encoding="utf-8")
    assert written == reference_page(), "python -m lib.config.reference > docs/configuration.md"


def test_every_key_has_a_meaning():
    fields = {key: field for _, part in sections() for key, field in part.items()}
    assert len(fields) > 80
    assert [key for key, field in fields.items() if not field.description] == []


@pytest.mark.parametrize("key", ["TRAIN.LEARNING_RATE", "TRAIN.learning_rate", "LEARNING_RATE"])
def test_what_others_call_a_key_leads_to_it(key):
    with pytest.raises(UserError, match="the nearest valid key is TRAIN.LR$"):
        parse_overrides([key, "1e-3"])


def test_other_names_lead_to_keys_that_exist():
    known = {key for _, part in sections() for key in part}
    assert set(SYNONYMS.values()) <= known
