"""Mistakes in a configuration: which file, which table, which key, and what to write."""

from __future__ import annotations

import pytest

from reticent.audits.configuration import AuditConfig
from reticent.errors import UsageError

BASE = '[data]\nset = "digits"\n[training]\ntrainer = "a.py:b"\n'
DATA = "[training]"


@pytest.mark.parametrize(
    ("text", "what", "remedy"),
    [
        (
            BASE.replace(DATA, f'classes = "yes"\n{DATA}'),
            "Expected classes as a list or a whole number in [data] of mine.toml, got classes='yes'.",
            'Write it in brackets: classes = ["...", "..."].',
        ),
        (
            BASE.replace(DATA, f'groups = ["sex", 3]\n{DATA}'),
            "Expected groups[1] as a text in [data] of mine.toml, got groups[1]=3.",
            "Write it in quotes.",
        ),
        (
            BASE + '[policy]\nmost_named = {"0.01" = "a"}\n',
            "Expected most_named.0.01 as a number in [policy] of mine.toml, got most_named.0.01='a'.",
            "Write it without quotes.",
        ),
        (
            BASE + "[policy]\nmost_auc = 55\n",
            "Expected most_auc < 1 in [policy] of mine.toml, got most_auc=55.",
            "Write a number below 1.",
        ),
        (
            BASE + '[model]\nonnx = "a"\nanswers = "prob"\n',
            "Expected answers to be 'logits', 'probabilities' or 'labels' in [model] of mine.toml, got answers='prob'.",
            "Write one of them.",
        ),
        (
            'training = 3\n[data]\nset = "digits"\n',
            "Expected training as a table in mine.toml, got training=3.",
            "Write it as [training], with keys below it.",
        ),
        (
            "[data]\nset = digits\n",
            "Expected a configuration in TOML, but mine.toml is none: ",
            "Texts stand in quotes, lists in brackets, and each table such as [data] begins once.",
        ),
    ],
)
def test_mistakes_are_told_in_the_words_of_the_file(tmp_path, text, what, remedy):
    path = tmp_path / "mine.toml"
    path.write_text(text)
    with pytest.raises(UsageError) as error:
        AuditConfig.read(path)
    assert error.value.what.startswith(what)
    assert error.value.remedy == remedy
