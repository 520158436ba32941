"""Data whose misuse harms most: health, genes, belief, origin, politics, unions, sex life, bodies, crime, children.

Promise: columns are found by their names in several languages, some also by their values: words that mean little else
(names of religions, of origins, of diseases), ICD-10 codes, variants of genes. A list of words is never complete: what
is not on it, and in a column of another name, is not found. What can be guessed from other columns is not looked for.

Sources: GDPR Art. 8, 9(1) and 10; WHO ICD-10; HGVS and dbSNP (how variants are written).

Example:
    >>> from reticent.data.scan.sensitive import SENSITIVE
    >>> sorted({one.special for one in SENSITIVE})[:4]
    ['biometrics', 'children', 'crime', 'ethnicity']
"""

from __future__ import annotations

from typing import Final

from reticent.data.scan.detector import Detector, Shape
from reticent.data.scan.hints import TOLD, Hints

__all__ = ["DISEASES", "SENSITIVE"]

_WORDS: Final = Shape(
    letters=(2, 90), foreign=(0, 60), spaces=(0, 6), separators=(0, 4), others=(0, 2), digits=(0, 4), length=(2, 100)
)


def _kind(
    name: str, special: str, hints: tuple[str, ...], *, values: str = "", against: tuple[str, ...] = (),
    least: float = 0.5, safe_harbor: str = "", means: str = "", behind: str = "",
) -> Detector:  # fmt: skip
    listed = frozenset(value.strip() for value in values.split(",") if value.strip())
    return Detector(
        name, "sensitive", _WORDS if listed else Shape.any(), hints=Hints(hints, against=against, about=TOLD),
        listed=listed,
        least=least, special=special, needs_hint=not listed, safe_harbor=safe_harbor, means=means, behind=behind,
    )  # fmt: skip


_ILLNESSES: Final = (
    "diabetes,type 2 diabetes,type 1 diabetes,hypertension,asthma,copd,cancer,breast cancer,lung cancer,"
    "prostate cancer,"
    "colon cancer,melanoma,leukemia,leukaemia,lymphoma,stroke,depression,anxiety,schizophrenia,bipolar disorder,"
    "epilepsy,"
    "dementia,alzheimer's disease,alzheimers,parkinson's disease,multiple sclerosis,hiv,aids,hepatitis b,"
    "hepatitis c,tuberculosis,pneumonia,influenza,"
    "covid-19,heart disease,heart failure,coronary artery disease,myocardial infarction,atrial fibrillation,"
    "arthritis,rheumatoid arthritis,osteoporosis,"
    "migraine,obesity,anemia,anaemia,chronic kidney disease,cirrhosis,crohn's disease,ulcerative colitis,"
    "celiac disease,psoriasis,"
    "eczema,hypothyroidism,hyperthyroidism,gout,sepsis,autism,adhd,ptsd,metformin,insulin,lisinopril,"
    "atorvastatin,warfarin,"
    "aspirin,ibuprofen,paracetamol,simvastatin,omeprazole,amlodipine,levothyroxine,albuterol,sertraline,fluoxetine,"
    "diabetes mellitus,hypertonie,krebs,depressionen,asma,hipertension,cáncer,hypertensie"
)
DISEASES: Final = frozenset(_ILLNESSES.split(",")) - {"aids", "stroke", "depression", "anxiety", "depressionen", "gout"}
"""Those of the illnesses and drugs that mean nothing else in a sentence."""

SENSITIVE: Final = (
    _kind("health", "health", (
        "diagnosis", "diagnoses", "disease", "condition", "conditions", "symptom", "symptoms", "illness",
        "medication", "medications", "drug", "drugs",
        "prescription", "treatment", "therapy", "procedure", "surgery", "allergy", "allergies", "disability", "icd",
        "icd 9", "icd 10", "icd code", "comorbidity", "bmi", "blood pressure", "blood type", "blood group", "glucose",
        "cholesterol", "hba 1 c", "heart rate", "pulse", "smoker", "smoking", "smoking status", "alcohol",
        "pregnant", "pregnancy", "hiv",
        "hiv status", "vaccination", "vaccine", "mental health", "depression", "health", "health status",
        "lab result", "lab results", "test result",
        "sick leave", "sick days", "diabetes", "cancer", "tumor", "stroke", "diagnose", "krankheit", "medikament",
        "medikamente", "behandlung", "allergie", "behinderung", "schwerbehinderung", "blutgruppe", "schwanger",
        "krankheitstage",
        "diagnostico", "enfermedad", "medicamento", "tratamiento", "alergia", "discapacidad", "diagnostic", "maladie",
        "traitement", "handicap", "medicament", "diagnosi", "malattia", "farmaco", "terapia", "ziekte", "behandeling",
        "choroba", "diagnoza", "lek", "diagnos", "sjukdom", "sykdom", "sygdom", "warfarin", "dose", "dosage", "inr",
        "ecog", "survival", "mortality", "systolic", "diastolic", "sysbp", "diabp", "cause of death", "medical history",
    ), against=("air", "drugstore", "server", "code", "if", "where", "weather", "item", "car", "vehicle",
    "service"), values=_ILLNESSES),
    Detector(
        "ICD-10 code", "sensitive", Shape(digits=(2, 6), letters=(1, 3), separators=(0, 1), length=(3, 8)),
        raw="^[A-TV-Z][0-9][0-9AB]([.][0-9A-TV-Z]{1,4})$", least=0.3, special="health",
        hints=Hints(("icd", "icd 10", "icd code", "diagnosis code", "diagnosis", "dx", "diagnose", "diagnosecode",
        "icd 10 code")), named=False,
        hinted_shape=Shape(digits=(2, 6), letters=(1, 3), separators=(0, 1), length=(3, 8)),
        hinted_raw="^[A-TV-Z][0-9][0-9AB][.]?[0-9A-TV-Z]{0,4}$",
    ),
    _kind("genetic data", "genetics", (
        "genotype", "gene", "genetic", "genome", "dna", "snp", "allele", "haplotype", "mutation", "variant", "brca 1",
        "brca 2", "apoe", "vkorc 1", "cyp 2 c 9", "cyp 2 d 6", "hla", "karyotype", "exome", "genotyp", "rsid",
        "chromosome",
    ), against=("product", "version"), safe_harbor="R"),
    Detector(
        "genetic variant", "sensitive", Shape(digits=(0, 12), letters=(0, 14), separators=(0, 4), others=(0, 4),
            colons=(0, 2)),
        raw=r"^(rs[0-9]{3,10}|[ACGT]/[ACGT]|[*][0-9]{1,2}/[*][0-9]{1,2}|[cgp]\.[A-Za-z0-9_*>+-]{3,})$", least=0.3,
        special="genetics", hints=Hints(("genotype", "snp", "rsid", "variant", "vkorc 1", "cyp 2 c 9")), named=False,
    ),
    _kind("religion or belief", "religion", (
        "religion", "religious", "faith", "belief", "denomination", "church", "konfession", "kirche", "religione",
        "religiao", "godsdienst", "wyznanie", "kirchensteuer", "uskonto",
    ), values=("christian,christianity,catholic,roman "
    "catholic,protestant,orthodox,muslim,islam,islamic,sunni,shia,jewish,"
        "judaism,hindu,hinduism,buddhist,buddhism,sikh,sikhism,atheist,agnostic,mormon,jehovah's witness,baptist,"
        "methodist,"
        "lutheran,anglican,presbyterian,bahai,jain,taoist,zoroastrian,römisch-katholisch,evangelisch,katholisch,"
        "muslimisch,jüdisch,konfessionslos,católico,católica,musulmán,judío,catholique,musulman,juif,cattolico,"
        "musulmano")),
    _kind("origin", "ethnicity", (
        "race", "ethnicity", "ethnic", "ethnic group", "ethnic origin", "hispanic", "tribe", "skin color",
        "skin colour",
        "ancestry", "migration background", "migrationshintergrund", "herkunft", "ethnie", "raza", "etnia", "origine",
        "caste", "indigenous", "race ethnicity",
    ), against=("condition", "car", "horse", "time", "result"), values=(
        "caucasian,african american,african-american,black or african american,hispanic,latino,latina,"
        "hispanic or latino,not hispanic or latino,"
        "asian,south asian,east asian,pacific islander,native american,american indian,"
        "american indian or alaska native,native hawaiian,"
        "alaska native,white british,black african,black caribbean,mixed race,multiracial,roma,arab,"
        "asian-pac-islander,amer-indian-eskimo,native hawaiian or other pacific islander,non-hispanic white,"
        "non-hispanic black"),
        least=0.8),
    _kind("political opinion", "politics", (
        "political", "politics", "political party", "party affiliation", "party registration", "vote choice",
        "voted for",
        "partei", "parteizugehoerigkeit", "partido", "afiliacion politica", "parti politique", "partito", "ideology",
        "political views", "party id",
    ), values=("democrat,republican,libertarian,green party,labour,conservative,conservatives,liberal "
    "democrats,tory,cdu,csu,spd,afd,fdp,die linke,"
        "bündnis 90/die grünen,psoe,partido popular,vox,podemos,la france insoumise,rassemblement national,"
        "les républicains,"
        "democratic party,republican party,socialist,communist"), least=0.8),
    _kind("trade union", "union", (
        "trade union", "union", "union member", "union membership", "union dues", "gewerkschaft", "sindicato",
        "syndicat",
        "sindacato", "vakbond", "works council", "betriebsrat",
    ), against=("credit", "european", "postal", "western", "sql")),
    _kind("sex life or orientation", "sex life", (
        "sexual orientation", "orientation", "sexuality", "sex life", "sexual", "sexuelle orientierung",
        "orientacion sexual",
        "orientation sexuelle", "orientamento sessuale", "sexual partners", "contraception", "lgbt", "lgbtq",
        "transgender",
    ), against=("page", "screen", "image", "paper", "text"), values=(
        "heterosexual,homosexual,bisexual,gay,lesbian,straight,asexual,pansexual,queer,heterosexuell,homosexuell,"
        "bisexuell"),
        least=0.8),
    _kind("biometric data", "biometrics", (
        "fingerprint", "finger print", "iris scan", "retina", "face embedding", "faceprint", "face id", "facial",
        "voiceprint",
        "voice print", "biometric", "biometrics", "fingerabdruck", "huella", "empreinte", "impronta", "gait",
        "palm print",
        "signature image",
    ), against=("browser", "ssh", "key", "sha"), safe_harbor="P", means="by the column's name only"),
    _kind("photograph", "biometrics", (
        "photo", "photograph", "picture", "portrait", "selfie", "mugshot", "profile picture", "avatar", "profile image",
        "face image", "lichtbild", "passbild", "headshot", "photo url",
    ), against=("product", "count",
    "id"), safe_harbor="Q", means="by the column's name only: images are not looked at"),
    _kind("criminal record", "crime", (
        "criminal", "criminal record", "conviction", "convictions", "offense", "offence", "offenses", "arrest",
        "arrests",
        "felony", "misdemeanor", "felon", "sentence", "prison", "recidivism", "two year recid", "probation",
        "parole", "crime",
        "charge degree", "vorstrafe", "vorstrafen", "straftat", "antecedentes penales", "casier judiciaire",
        "delito", "reato",
        "strafblad", "jail", "incarcerated",
    ), against=("text", "word", "rate", "length", "id"), values=(
        "felony,misdemeanor,convicted,acquitted,arrested,burglary,robbery,assault,homicide,manslaughter,murder,rape,"
        "larceny,"
        "arson,fraud,battery,drug possession,dui,dwi,theft,grand theft,shoplifting,aggravated assault"), least=0.6),
    _kind("data of children", "children", (
        "child", "child name", "child age", "children", "minor", "is minor", "guardian name", "parent name",
        "parental consent", "kid",
        "school class", "grade level", "kinder", "schueler", "hijo", "enfant", "bambino", "pupil", "birth weight",
        "newborn",
        "gestational age",
    ), against=("process", "node", "version", "account", "revision", "of")),
)  # fmt: skip
"""Every kind, in no order."""
