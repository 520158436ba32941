"""Disclosure in tables about people: measured, and made smaller.

Nothing here makes a table anonymous: a risk is measured against attackers who are named, before and after.

Example:
    >>> from reticent.data.tables import Table
    >>> from reticent.data.anonymity import measures
    >>> measures(Table.of({"age": [30, 30, 40]}), quasi=["age"]).k
    1
"""

from reticent.data.anonymity.anonymiser import Anonymiser, Cost
from reticent.data.anonymity.anonymising import Anonymised, anonymise, k_anonymised
from reticent.data.anonymity.categories import Dates, Fixed, Frequent, Prefixes, Rare, Tree
from reticent.data.anonymity.copula import Copula, copula_uniqueness
from reticent.data.anonymity.disclosure import DisclosureRisk, disclosure_risk
from reticent.data.anonymity.generalisation import Generalisation, Transformed
from reticent.data.anonymity.goals import Goal
from reticent.data.anonymity.hierarchies import automatic, hierarchy_in_words
from reticent.data.anonymity.measures import Measures, Sensitive, measures
from reticent.data.anonymity.minimal_uniques import MinimalUniques, minimal_uniques
from reticent.data.anonymity.numbers import Intervals, Quantiles, Rounding, TopBottom, Widths
from reticent.data.anonymity.pseudonyms import Exchange, Key, Pseudonymised, pseudonymise
from reticent.data.anonymity.risks import AttackerRisk, risks
from reticent.data.anonymity.uniqueness import Uniqueness, population_uniqueness

__all__ = [
    "Anonymised",
    "Anonymiser",
    "AttackerRisk",
    "Copula",
    "Cost",
    "Dates",
    "DisclosureRisk",
    "Exchange",
    "Fixed",
    "Frequent",
    "Generalisation",
    "Goal",
    "Intervals",
    "Key",
    "Measures",
    "MinimalUniques",
    "Prefixes",
    "Pseudonymised",
    "Quantiles",
    "Rare",
    "Rounding",
    "Sensitive",
    "TopBottom",
    "Transformed",
    "Tree",
    "Uniqueness",
    "Widths",
    "anonymise",
    "automatic",
    "copula_uniqueness",
    "disclosure_risk",
    "hierarchy_in_words",
    "k_anonymised",
    "measures",
    "minimal_uniques",
    "population_uniqueness",
    "pseudonymise",
    "risks",
]
